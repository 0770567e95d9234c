"""A night as it is watched."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from daemon.cli.night_progress import read_step, watch_night


def steps_of_training(count: int) -> Iterator[dict[str, Any]]:
    for step in range(1, count + 1):
        yield {
            "state": "training",
            "stage_progress": step / count,
            "step": step,
            "steps": count,
            "loss": 4 - step / count,
            "tokens_per_second": 500.0,
        }


def watched(progress: Iterator[dict[str, Any]], *, terminal: bool) -> tuple[dict[str, Any], str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    return watch_night(progress, console), out.getvalue()


def test_without_a_terminal_a_long_stage_takes_about_ten_lines() -> None:
    _, said = watched(steps_of_training(1000), terminal=False)

    assert 10 <= len(said.splitlines()) <= 12
    assert said.splitlines()[0].startswith("training · step 1/1000 · loss 3.999")


def test_on_a_terminal_each_stage_has_a_bar_with_loss_and_speed() -> None:
    def night() -> Iterator[dict[str, Any]]:
        yield {"state": "preparing", "stage_progress": None}
        yield from steps_of_training(4)
        yield {"state": "judging", "stage_progress": 0.5}
        yield {"night": {"id": 1}}

    entry, said = watched(night(), terminal=True)

    last = said.rsplit("preparing the text", 1)[1]
    assert entry == {"id": 1}
    assert "loss 3.000" in last
    assert "500 tokens/s" in last
    assert "judging the result" in last
    assert last.count("100 %") == 3  # at the end all stages are full


def test_what_a_newer_service_says_does_no_harm() -> None:
    step = read_step({"state": "dreaming", "stage_progress": 7, "sheep": 12, "loss": None})

    assert (step.state, step.share, step.detail) == ("dreaming", 1.0, "")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_night_without_an_end_leaves_an_empty_entry(terminal: bool) -> None:
    entry, _ = watched(steps_of_training(2), terminal=terminal)

    assert entry == {}
