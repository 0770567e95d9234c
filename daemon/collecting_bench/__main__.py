"""`python -m daemon.collecting_bench FOLDER`: JSON on stdout, progress on stderr.

`nightloom bench collect` starts it and shows a table. The folder lies on the disk to be measured;
whoever starts this makes it and takes it away.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from daemon.collecting_bench.measuring import Amounts, measure
from storage.bench.child import end_with
from storage.errors import StorageError


def main(words: Sequence[str] | None = None) -> int:
    """0, or 1 with `{"error": sentence}` on stdout."""
    asked = _parser().parse_args(words)
    if asked.end_with is not None:
        end_with(asked.end_with)
    logging.disable(logging.ERROR)  # what goes wrong shows in the figures
    amounts = Amounts(
        files=asked.files,
        at_once=asked.at_once,
        rounds=asked.rounds,
        letters=asked.letters,
        idle_seconds=asked.idle_seconds,
    )
    try:
        answer = asyncio.run(measure(asked.folder, amounts, _say))
    except StorageError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    return int("error" in answer)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="daemon.collecting_bench")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--at-once", type=int, default=50_000)
    parser.add_argument("--letters", type=int, default=400)
    parser.add_argument("--idle-seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--end-with", type=int)
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
