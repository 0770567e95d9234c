"""`nightloom bench`: the child's report as JSON and as a table, its errors, and its end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import bench_child
from daemon.cli.bench_table import amount, machine_line, table
from tests.daemon.cli.conftest import Run

ROW = {
    "name": "both checkpointed", "unit": "tokens/s", "ours": 1234.5, "stock": 617.25,
    "limit": 2469.0, "limit_is": "bare bf16 products", "tokens_per_night": 35_553_600.0,
    "peak_bytes": 650_000_000, "stock_peak_bytes": 850_000_000, "difference": 1e-4, "note": "",
    "ratio": 2.0, "share_of_limit": 0.5,
}  # fmt: skip
MACHINE = {
    "processor": "A CPU", "instructions": ["avx2"], "cores": 2, "threads": 2,
    "memory_bytes": 25_000_000_000, "load": 0.1, "kernels": "avx2", "torch": "2.13.0",
}  # fmt: skip
REPORT = {"title": "training tiny", "machine": MACHINE, "rows": [ROW]}


def child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A program in the place of the bench; it sees the bench's words."""
    monkeypatch.setattr(bench_child, "COMMAND", (sys.executable, "-c", program))


def saying(answer: Any) -> str:
    return f"print({json.dumps(answer)!r})"


def rendered(report: Any, width: int = 80) -> str:
    from rich.console import Console

    console = Console(width=width)
    with console.capture() as captured:
        console.print(table(report))
    return captured.get()


def test_json_is_the_child_s_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, saying(REPORT))

    result = run("bench", "train", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (0, REPORT)


def test_the_table_fits_a_terminal() -> None:
    shown = rendered(REPORT)

    lines = [line for line in shown.splitlines() if "both" in line]
    assert "1,234    617  2.00 x    50.0 %  35.55 M  650 MB   850 MB" in lines[0]
    assert max(map(len, shown.splitlines())) <= 80
    assert machine_line(MACHINE).startswith("A CPU, 2 threads of 2 cores, avx2, 25.00 GB")


def test_columns_without_any_value_are_left_out() -> None:
    bare = ROW | {"tokens_per_night": None, "peak_bytes": None, "stock_peak_bytes": None}

    assert "a night" in rendered(REPORT)
    assert "a night" not in rendered(REPORT | {"rows": [bare]})


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(None, "ms", "–"), (1.234, "ms", "1.23"), (12.34, "ms", "12.3"), (5e9, "bytes", "5.00 GB")],
)
def test_amounts(value: float | None, unit: str, shown: str) -> None:
    assert amount(value, unit) == shown


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (("kernels",), ["kernels", "--geometry", "7b"]),
        (("train", "--geometry", "1b", "--layers", "2", "--tokens", "64", "--steps", "1"),
         ["train", "--geometry", "1b", "--layers", "2", "--tokens", "64", "--rounds", "1"]),
        (("decode", "--llama-python", sys.executable),
         ["decode", "--geometry", "tiny", "--llama-python", sys.executable]),
    ],
)  # fmt: skip
def test_the_child_gets_what_was_asked_and_whom_to_end_with(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], passed: list[str]
) -> None:
    child(monkeypatch, "import json, sys; print(json.dumps({'words': sys.argv[1:]}))")

    said = json.loads(run("bench", *words, "--json").stdout)["words"]

    assert said == [*passed, "--end-with", str(os.getpid())]


def test_the_child_has_the_engine_s_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    child(monkeypatch, "import json, os; print(json.dumps(dict(os.environ)))")

    environment = json.loads(run("bench", "train", "--json").stdout)

    assert environment["HF_HUB_OFFLINE"] == "1"
    assert "GOMP_SPINCOUNT" in environment
    assert "HF_TOKEN" not in environment
    assert (Path(environment["PYTHONPATH"]) / "trainer").is_dir()


def test_an_error_is_the_child_s_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, saying({"error": "This bench needs about 17 GB."}))

    result = run("bench", "train")

    assert (result.exit_code, result.stderr) == (1, "nightloom: This bench needs about 17 GB.\n")


def test_a_child_that_dies_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "import os; os.abort()")

    result = run("bench", "decode")

    assert result.exit_code == 1
    assert "ended without a result" in result.stderr


def test_a_geometry_that_nobody_knows_is_a_usage_error(run: Run) -> None:
    assert run("bench", "train", "--geometry", "70b").exit_code == 2


def test_ctrl_c_ends_all_processes(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "bench", "train"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("checking"):  # two sides are at work
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()  # ends when nobody holds the other end any more

        assert "Traceback" not in rest
        assert process.wait() == 130
        assert process.stdout is not None
        assert process.stdout.read() == ""
