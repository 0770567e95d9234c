"""`nightloom bench serve`: what its client notes of an answer, and what its rows and bars say."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from daemon.cli.bench_table import bar, table
from daemon.serving_bench.measuring import Found
from daemon.serving_bench.report import rows_of
from daemon.serving_bench.streams import (
    Heard,
    Stream,
    hear,
    hear_together,
    longest_pause,
    rate_together,
)
from ipc.errors import EngineUnavailable
from tests.ipc.serving import PINNED, SOON_SECONDS, Talker, failing, house, saying

ASKED = {"model": "personal", "prompt": "The bees", "max_tokens": 3}
CHAT = {"model": "personal", "messages": [{"role": "user", "content": "?"}]}


def heard(*pieces: float, tokens: int = 0) -> Heard:
    return Heard(asked=0.0, pieces=list(pieces), tokens=tokens)


# --------------------------------------------------------------------------- its client


@pytest.mark.parametrize("asked", [ASKED, CHAT], ids=["completion", "chat"])
def test_each_piece_has_its_time_and_the_end_has_the_counts(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    with house(tmp_path / "run", answer=saying("a ", "b ", "c")) as served:
        found = hear(served.api_path, asked)
    assert found.began is not None
    times = [found.asked, found.began, *found.pieces]
    assert times == sorted(times)
    assert ("".join(found.text), found.model) == ("a b c", PINNED)
    assert (len(found.pieces), found.prompt_tokens, found.tokens) == (3, 5, 3)
    assert found.first_seconds == found.pieces[0] - found.asked


def test_several_are_heard_at_once(tmp_path: Path) -> None:
    all_here = threading.Barrier(3, timeout=SOON_SECONDS)

    async def answer(request: Any) -> Any:
        await asyncio.to_thread(all_here.wait)  # nobody is answered before all have asked
        async for event in saying("x")(request):
            yield event

    with house(tmp_path / "run", answer=answer) as served:
        assert [one.tokens for one in hear_together(served.api_path, [ASKED] * 3)] == [1, 1, 1]


def test_a_stream_that_is_left_hangs_up(tmp_path: Path) -> None:
    talker = Talker()
    with house(tmp_path / "run", answer=talker) as served:
        with Stream(served.api_path, ASKED) as stream:
            stream.wait_for(5)
        assert talker.stopped.wait(SOON_SECONDS)
    assert len(stream.heard.pieces) >= 5


@pytest.mark.parametrize("after", [(), ("some ",)], ids=["at once", "in the middle"])
def test_what_ends_an_answer_is_raised(tmp_path: Path, after: tuple[str, ...]) -> None:
    answer = failing(EngineUnavailable(), after=after)
    with house(tmp_path / "run", answer=answer) as served:
        with pytest.raises(EngineUnavailable):
            hear(served.api_path, ASKED)
        with pytest.raises(EngineUnavailable), Stream(served.api_path, ASKED) as stream:
            stream.wait_for(9)


# --------------------------------------------------------------------------- its figures


def test_the_rate_leaves_the_first_token_out() -> None:
    assert heard(5.0, 6.0, 7.0, tokens=3).rate == 1.0
    assert heard(5.0, 7.0, tokens=5).rate == 2.0  # pieces of two tokens


def test_together_counts_while_all_of_them_speak() -> None:
    early, late = heard(0, 1, 2, 3, 4), heard(2, 2.5, 3, 3.5, 4, 4.5, 5)
    assert rate_together([early, late]) == (2 + 4) / 2
    assert rate_together([heard(0, 1), heard(2, 3)]) == 0.0


def test_a_pause_is_what_lies_beyond_the_stream_s_own_step() -> None:
    steady = heard(*range(10))
    assert longest_pause(steady, 4.5, 6.5) == 0.0
    paused = heard(0, 1, 2, 3, 6, 7, 8)
    assert longest_pause(paused, 2.5, 6.5) == 2.0
    assert longest_pause(paused, 3.5, 4.0) == 2.0, "within one gap"
    assert longest_pause(paused, 6.5, 8.0) == 0.0, "before the beginning"


def found(**given: list[float]) -> Found:
    """Everything just as the bars want it, but what is given."""
    figures = {
        "bare_first": [1.0], "first": [1.3], "bare_rate": [10.0], "rate": [9.0],
        "together": [16.3], "kept": [0.5], "not_kept": [2.0], "swap": [1.0], "swap_first": [1.5],
        "pause": [0.1, 0.3], "cold": [8.0],
    }  # fmt: skip
    return Found(**(figures | given))  # type: ignore[arg-type]


def held(rows: list[dict[str, Any]]) -> dict[str, bool]:
    names = {row["name"].partition(" ")[2]: row["bar"] for row in rows}
    return {name: bar["holds"] for name, bar in names.items() if bar is not None}


def test_at_the_bars_all_of_them_hold() -> None:
    rows = rows_of(found(), "7b", whole=True)
    assert set(held(rows).values()) == {True}
    assert len(held(rows)) == 6
    assert all(
        {"name", "unit", "ours", "stock", "ratio", "limit", "share_of_limit"} <= set(row)
        for row in rows
    )


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        ({"first": [1.31]}, "first token"),
        ({"rate": [8.9]}, "one stream"),
        ({"together": [16.0]}, "4 streams"),
        ({"swap": [0.9, 1.1, 1.1]}, "swap, first request"),
        ({"pause": [0.0, 0.0, 0.31]}, "swap, longest pause"),
        ({"cold": [8.1]}, "cold start"),
    ],
)
def test_behind_a_bar_its_row_says_so(worse: dict[str, list[float]], name: str) -> None:
    holds = held(rows_of(found(**worse), "7b", whole=True))
    assert [one for one, is_held in holds.items() if not is_held] == [name]


def test_bars_are_for_those_bases_that_they_were_set_for() -> None:
    assert held(rows_of(found(), "7b", whole=False)) == {}
    builtin = held(rows_of(found(), "builtin", whole=True))
    assert set(builtin) == {"first token", "swap, longest pause"}


def test_a_second_turn_is_compared_with_reading_it_again() -> None:
    (row,) = [
        row for row in rows_of(found(), "builtin", whole=True) if "second turn" in row["name"]
    ]
    assert (row["ours"], row["stock"], row["ratio"]) == (0.5, 2.0, 4.0)


def test_the_round_that_warms_up_does_not_count() -> None:
    warmed = Found(first=[9.0, 1.0, 1.2], cold=[3.0])
    warmed.drop_first()
    assert (warmed.first, warmed.cold) == ([1.0, 1.2], [3.0])


def test_a_bar_is_shown_with_its_verdict() -> None:
    (first, *_) = rows_of(found(), "7b", whole=True)
    assert bar(first["bar"]) == "1.30 (≤ 1.3)"
    (worse, *_) = rows_of(found(first=[2.0]), "7b", whole=True)
    assert bar(worse["bar"]) == "2.00 (≤ 1.3) missed"
    assert bar(None) == "–"


def test_the_table_fits_a_terminal() -> None:
    rows = [row for geometry in ("builtin", "7b") for row in rows_of(found(), geometry, whole=True)]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table({"title": "serving", "rows": rows}))
    assert "0.30 (≤ 0.3)" in captured.get()
    assert len(captured.get().splitlines()) <= len(rows) * 2


def test_the_measuring_process_knows_no_torch() -> None:
    program = (
        "import sys; import daemon.serving_bench.__main__ as _; "
        "print([name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr
