"""`nightloom bench ...`: how fast this machine is with us and the stock way, in the same run.

What is measured runs in a child process (`bench_child.py`); nothing here loads the model.
"""

import json
import os
from pathlib import Path

import click

from daemon.cli import bench_child
from daemon.cli.bench_child import (
    COLLECT_COMMAND,
    VAULT_COMMAND,
    measured,
    measured_beside,
)
from daemon.cli.output import Json, json_option, say

GEOMETRIES = ("tiny", "1b", "7b")

layers_option = click.option(
    "--layers", type=click.IntRange(1), metavar="N", help="Measure N layers of it and scale up."
)
rounds_option = click.option(
    "--steps", "rounds", type=click.IntRange(1), metavar="N", help="Measure everything N times."
)
geometry_option = click.option(
    "--geometry",
    type=click.Choice(GEOMETRIES),
    default="tiny",
    show_default=True,
    help="tiny is the built-in base's, 1b TinyLlama's, 7b Llama 2's; the weights are random.",
)


@click.group()
def bench() -> None:
    """Measure against the stock way and against what this machine can do.

    Best with nothing else running. Progress goes to stderr; Ctrl-C leaves nothing behind.
    """


@bench.command()
@layers_option
@rounds_option
@json_option
def kernels(layers: int | None, rounds: int | None, as_json: bool) -> None:
    """4-bit matrices of a 7B, single products, against bitsandbytes' two modes."""
    _run(["kernels", "--geometry", "7b", *_words(layers=layers, rounds=rounds)], as_json)


@bench.command()
@geometry_option
@layers_option
@click.option("--tokens", type=click.IntRange(16), metavar="N", help="Tokens of a training step.")
@rounds_option
@json_option
def train(
    geometry: str, layers: int | None, tokens: int | None, rounds: int | None, as_json: bool
) -> None:
    """A training step against transformers with peft and bitsandbytes, all with rank 16."""
    options = _words(layers=layers, tokens=tokens, rounds=rounds)
    _run(["train", "--geometry", geometry, *options], as_json)


@bench.command()
@geometry_option
@layers_option
@click.option("--tokens", type=click.IntRange(1), metavar="N", help="Tokens of context.")
@click.option(
    "--llama-python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PATH",
    help="An interpreter that has llama-cpp-python, to compare with llama.cpp's Q4_0.",
)
@rounds_option
@json_option
def decode(
    geometry: str,
    layers: int | None,
    tokens: int | None,
    llama_python: Path | None,
    rounds: int | None,
    as_json: bool,
) -> None:
    """A prompt and the tokens after it, against transformers' forward and llama.cpp."""
    # as it is written: a virtual environment's interpreter is a link
    python = None if llama_python is None else llama_python.absolute()
    options = _words(layers=layers, tokens=tokens, rounds=rounds, llama_python=python)
    _run(["decode", "--geometry", geometry, *options], as_json)


@bench.command()
@click.option(
    "--documents",
    type=click.IntRange(1),
    metavar="N",
    help="Keep N documents of 2 KiB; 20,000 otherwise.",
)
@rounds_option
@json_option
def vault(documents: int | None, rounds: int | None, as_json: bool) -> None:
    """Keeping and reading documents against plain SQLite with the texts in clear.

    In new files on the disk of your vault, which are removed; the vault is not touched.
    """
    from daemon.home import Home

    folder = Home.from_environment(os.environ).vault
    words = _words(documents=documents, rounds=rounds)
    _show(measured_beside(folder, words, VAULT_COMMAND), as_json)


@bench.command()
@click.option(
    "--files", type=click.IntRange(1), metavar="N", help="Scan N files of 2 KiB; 100,000 otherwise."
)
@click.option(
    "--at-once",
    type=click.IntRange(1),
    metavar="N",
    help="Write N files into a watched folder; 50,000 otherwise.",
)
@click.option(
    "--idle-seconds", type=click.FloatRange(0.1), metavar="S", help="Look at the idle for so long."
)
@rounds_option
@json_option
def collect(
    files: int | None,
    at_once: int | None,
    idle_seconds: float | None,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Scanning folders, keeping up with very many new files, and finding copies.

    In new files on the disk of your vault, which are removed; the vault is not touched.
    """
    from daemon.home import Home

    folder = Home.from_environment(os.environ).vault
    words = _words(files=files, at_once=at_once, idle_seconds=idle_seconds, rounds=rounds)
    _show(measured_beside(folder, words, COLLECT_COMMAND), as_json)


@bench.command()
@click.option(
    "--geometry",
    type=click.Choice(("builtin", "7b", "both")),
    default="both",
    show_default=True,
    help="The built-in base, a random one of Llama 2's sizes, or one after the other.",
)
@layers_option
@rounds_option
@json_option
def serve(geometry: str, layers: int | None, rounds: int | None, as_json: bool) -> None:
    """A service's answers through its socket against the bare engine: first tokens, streams, swaps.

    A whole 7b takes 4 GB of the disk of your vault and 7 GB of memory while it is measured; all of
    it is in a new home, which is removed. Your vault and service are not touched.
    """
    from daemon.home import Home

    folder = Home.from_environment(os.environ).vault
    words = ["--geometry", geometry, *_words(layers=layers, rounds=rounds)]
    _show(measured_beside(folder, words, bench_child.SERVE_COMMAND), as_json)


def _words(**options: object) -> list[str]:
    """Those options that were given, as words of a command line."""
    given = [(name, value) for name, value in options.items() if value is not None]
    return [word for name, value in given for word in (f"--{name.replace('_', '-')}", str(value))]


def _run(words: list[str], as_json: bool) -> None:
    _show(measured(words), as_json)


def _show(report: Json, as_json: bool) -> None:
    if as_json:
        say(json.dumps(report, ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    from daemon.cli.bench_table import machine_line, table

    console = Console()
    console.print(table(report))
    console.print(machine_line(report["machine"]), highlight=False, markup=False)
