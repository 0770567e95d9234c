"""Each bench on a part of the smallest geometry: what it measures, and that it prints only that."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
KEYS = {"name", "unit", "ours", "stock", "ratio", "limit", "share_of_limit", "tokens_per_night",
        "peak_bytes", "stock_peak_bytes", "expected_peak_bytes", "difference", "note",
        "limit_is"}  # fmt: skip


def measured(*words: str) -> Any:
    """One JSON object and nothing else on stdout."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "trainer.bench", *words],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr  # progress
    report = json.loads(done.stdout)
    assert all(row.keys() == KEYS for row in report["rows"])
    return report


def test_training() -> None:
    report = measured("train", "--layers", "1", "--tokens", "64", "--rounds", "1")

    assert report["title"] == "training tiny, 1 rows of 64 tokens a step"
    assert [row["name"] for row in report["rows"]] == [
        "both checkpointed", "neither checkpointed", "ours as planned, stock checkpointed"
    ]  # fmt: skip
    for row in report["rows"]:
        assert row["ours"] > 0
        assert row["ratio"] == pytest.approx(row["ours"] / row["stock"])
        assert row["share_of_limit"] == pytest.approx(row["ours"] / row["limit"])
        assert row["tokens_per_night"] == pytest.approx(row["ours"] * 28_800)
        assert row["difference"] < 0.01
        assert row["peak_bytes"] > 10**8
        assert row["note"] == "1 of 8 layers measured, scaled by their weights"
    assert {"processor", "threads", "cores", "load", "bitsandbytes"} <= report["machine"].keys()


def test_decoding() -> None:
    report = measured("decode", "--layers", "1", "--tokens", "4", "--rounds", "1")

    rows = {row["name"]: row for row in report["rows"]}
    for name in ("prompt of 4 tokens, stock", "token behind 4, stock"):
        assert rows[name]["ratio"] == pytest.approx(rows[name]["ours"] / rows[name]["stock"])
        assert rows[name]["difference"] < 0.1
        assert rows[name]["note"].startswith(("stock repacked", "stock without repacking"))
    whole, base = list(rows)[-2:]
    assert rows[base]["ours"] < rows[whole]["ours"]
    assert not any("llama.cpp" in name for name in rows)  # it is not installed here


def test_kernels() -> None:
    report = measured("kernels", "--layers", "1", "--rounds", "1")

    rows = report["rows"]
    assert len(rows) == 1 + 2 * (4 + 2 + 1)
    assert rows[0]["note"] == "bit by bit equal"
    for row in rows:
        assert row["ratio"] == pytest.approx(row["stock"] / row["ours"])
        assert row["difference"] < 0.02


def test_what_cannot_fit_is_one_sentence() -> None:
    words = ("train", "--geometry", "7b", "--tokens", "100000000")
    done = subprocess.run(
        [sys.executable, "-m", "trainer.bench", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == ""
    assert json.loads(done.stdout)["error"].startswith("This bench needs about ")
