"""`nightloom bench collect` on a handful of files: what it measures, and that nothing is left."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.cli.conftest import Run

SMALL = (
    *("bench", "collect", "--files", "40", "--at-once", "30", "--steps", "1"),
    *("--idle-seconds", "0.1"),
)


def test_it_measures_all_and_leaves_nothing(run: Run, home: Path) -> None:
    before = sorted(path.name for path in home.rglob("*"))

    result = run(*SMALL, "--json")

    assert result.exit_code == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    rows = {row["name"]: row for row in report["rows"]}
    for size in ("2 KiB", "8 KiB"):
        first = rows[f"first scan, files of {size}"]
        assert first["ratio"] == pytest.approx(first["ours"] / first["stock"])
        assert first["ours"] > 0
    second = rows["second scan, nothing changed"]
    assert second["ratio"] == pytest.approx(second["stock"] / second["ours"])
    assert rows["after one rescan more, collected"]["ours"] == 100
    assert rows["written at once, kept twice"]["ours"] == 0
    assert rows["copies found"]["ours"] > 90
    assert rows["memory while that"]["ours"] > 10**7
    assert sorted(path.name for path in home.rglob("*")) == before
