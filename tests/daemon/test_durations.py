"""Lengths of time as people write them."""

import pytest

from daemon.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1.5h", 5400),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1h30m", 5400),
        (" 1 H 30 m ", 5400),
    ],
)
def test_numbers_with_units_are_added(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2 hours", "-2h", "2h-1m", "1h2h", "1e9h", "0m", "400d", "٢h", "2h2"]
)
def test_anything_else_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as|has to be from"):
        parse_duration(text)
