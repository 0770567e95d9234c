"""`nightloom bench serve`: what it asks of its child, and that nothing is left."""

import json
import sys
from pathlib import Path

import pytest

from daemon.cli import bench_child
from tests.daemon.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        ((), ["--geometry", "both"]),
        (("--geometry", "7b", "--layers", "2", "--steps", "1"),
         ["--geometry", "7b", "--layers", "2", "--rounds", "1"]),
    ],
)  # fmt: skip
def test_the_child_gets_a_folder_that_is_gone_afterwards(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], passed: list[str]
) -> None:
    program = "import json, sys; print(json.dumps({'words': sys.argv[1:]}))"
    monkeypatch.setattr(bench_child, "SERVE_COMMAND", (sys.executable, "-c", program))

    folder, *said = json.loads(run("bench", "serve", *words, "--json").stdout)["words"]

    assert said[: len(passed)] == passed
    assert not Path(folder).exists()
