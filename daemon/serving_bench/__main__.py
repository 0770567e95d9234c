"""`python -m daemon.serving_bench FOLDER`: JSON on stdout, progress on stderr.

`nightloom bench serve` starts it and shows a table. The folder lies on the disk to be measured;
whoever starts this makes it and takes it away.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.adding.names import BUILTIN
from daemon.cli.errors import DemoError
from daemon.serving_bench.house import house
from daemon.serving_bench.measuring import Amounts, Measuring
from daemon.serving_bench.report import rows_of
from ipc.errors import IpcError
from storage.bench.child import end_with
from storage.errors import StorageError
from trainer.bench.errors import MemoryTooSmall
from trainer.bench.geometry import GEOMETRIES, Geometry
from trainer.bench.memory import available_bytes
from trainer.errors import TrainerError

SEVEN = "7b"
CHOICES = {BUILTIN: (BUILTIN,), SEVEN: (SEVEN,), "both": (BUILTIN, SEVEN)}
ROUNDS = {BUILTIN: 5, SEVEN: 3}
STEPS = {BUILTIN: 96, SEVEN: 24}
LONG_STEPS = {BUILTIN: 800, SEVEN: 400}
PROCESS_BYTES = 1_500_000_000  # of an engine with its adapters, keys and values; there are two


def main(words: Sequence[str] | None = None) -> int:
    """0, or 1 with `{"error": sentence}` on stdout."""
    asked = _parser().parse_args(words)
    if asked.end_with is not None:
        end_with(asked.end_with)
    try:
        answer = _report(asked)
    except (TrainerError, StorageError, IpcError, DemoError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    return int("error" in answer)


def _report(asked: argparse.Namespace) -> dict[str, Any]:
    geometries = CHOICES[asked.geometry]
    if SEVEN in geometries:
        _require_memory(GEOMETRIES[SEVEN].with_layers(asked.layers))
    rows: list[dict[str, Any]] = []
    machine: dict[str, Any] = {}
    for geometry in geometries:
        layers = asked.layers if geometry == SEVEN else None
        _say(f"{geometry}: making a home, a base and adapters, and starting the service")
        place = asked.folder / geometry
        place.mkdir(mode=0o700)
        with house(place, geometry, layers) as here:
            machine = machine or here.bare.ask("machine")
            amounts = Amounts(
                rounds=asked.rounds or ROUNDS[geometry],
                steps=STEPS[geometry],
                long_steps=LONG_STEPS[geometry],
            )
            found = Measuring(here, amounts, lambda line, at=geometry: _say(f"{at}: {line}")).run()  # type: ignore[misc]
        whole = layers is None or layers == GEOMETRIES[SEVEN].layers_whole
        rows += rows_of(found, geometry, whole=whole)
    part = "" if asked.layers is None else f", {asked.layers} layers of the 7b"
    return {"title": f"serving{part}, with an adapter", "machine": machine, "rows": rows}


def _require_memory(geometry: Geometry) -> None:
    """Of one base, which both engines map, and what each has of its own.

    Raises:
        MemoryTooSmall
    """
    needed, free = geometry.base_bytes + 2 * PROCESS_BYTES, available_bytes()
    if free is not None and needed > free:
        ways = f"--geometry {BUILTIN} or fewer --layers need less"
        raise MemoryTooSmall(f"{needed / 1e9:.1f}", f"{free / 1e9:.1f}", ways)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="daemon.serving_bench")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--geometry", choices=tuple(CHOICES), default="both")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--end-with", type=int)
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
