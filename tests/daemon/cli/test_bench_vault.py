"""`nightloom bench vault`: the comparison as JSON and as a table, its folder, and its end."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storage.bench.comparing import TEXT_BYTES
from storage.bench.sides import Ours, Plain
from storage.bench.texts import documents
from tests.daemon.cli.conftest import Run

SMALL = ("bench", "vault", "--documents", "60", "--steps", "2")
RATES = ["insert", "read all", "read one, random", "known already", "wrap anew", "verify"]


@pytest.fixture
def report(run: Run) -> dict[str, Any]:
    result = run(*SMALL, "--json")
    assert result.exit_code == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_json_compares_the_vault_with_plain_sqlite(report: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in report["rows"]}

    assert [name for name, row in rows.items() if row["unit"] != "bytes"] == RATES
    assert all(row["ours"] > 0 for name, row in rows.items() if name != "memory")
    assert rows["wrap anew"]["stock"] is None
    inserts = rows["insert"]
    assert inserts["ratio"] == pytest.approx(inserts["ours"] / inserts["stock"])
    assert inserts["share_of_limit"] == pytest.approx(inserts["ours"] / inserts["limit"])
    assert inserts["best"] >= inserts["ours"]
    size = rows["size on disk"]
    assert size["ratio"] == pytest.approx(size["stock"] / size["ours"])
    assert set(report["machine"]) >= {"processor", "cores", "memory_bytes", "load", "sqlite"}


def test_the_table_has_a_row_each_and_fits_a_terminal(run: Run) -> None:
    shown = run(*SMALL).stdout

    assert all(name in shown for name in RATES)
    assert max(map(len, shown.splitlines())) <= 80


def test_it_is_measured_beside_the_vault_and_nothing_is_left(run: Run, home: Path) -> None:
    before = sorted(path.name for path in home.rglob("*"))

    assert run(*SMALL, "--json").exit_code == 0

    assert sorted(path.name for path in home.rglob("*")) == before


def test_ctrl_c_leaves_nothing_behind(home: Path) -> None:
    home.mkdir(exist_ok=True)
    before = sorted(home.rglob("*"))
    with subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "bench", "vault", "--steps", "1000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("round 1"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()

        assert "Traceback" not in rest
        assert process.wait() == 130
    assert sorted(home.rglob("*")) == before
    assert not list(home.parent.glob(".nightloom-bench-*"))


def test_what_the_vault_says_is_what_the_user_sees(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying = 'print(\'{"error": "The disk is full."}\')'
    monkeypatch.setattr("daemon.cli.bench.VAULT_COMMAND", (sys.executable, "-c", saying))

    result = run(*SMALL)

    assert (result.exit_code, result.stderr) == (1, "nightloom: The disk is full.\n")


def test_the_bench_loads_no_model_and_nothing_of_the_trainer() -> None:
    asked = (
        "import sys, storage.bench.__main__\n"
        "print('torch' in sys.modules, 'trainer' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert said.stdout == "False False\n"


def test_texts_are_different_and_of_their_size() -> None:
    texts = documents(50, TEXT_BYTES)

    assert len({one.text for one in texts}) == len({one.path for one in texts}) == 50
    assert {len(one.text.encode()) for one in texts} == {TEXT_BYTES}
    assert any(not one.text.isascii() for one in texts)
    assert texts == documents(50, TEXT_BYTES)


def test_both_sides_do_what_they_are_asked(tmp_path: Path) -> None:
    texts = documents(20, TEXT_BYTES)
    for make in (Ours, Plain):
        place = tmp_path / make.__name__
        place.mkdir()
        side = make(place)
        assert (side.insert(texts), side.look_up(texts), side.scan()) == (20, 20, 20)
        assert side.read([3, 1]) == 2
        assert (side.verify(), side.size_bytes() > 20 * TEXT_BYTES) == (20, True)
        assert side.look_up(documents(20, 300, seed=9)) == 0
        side.close()
