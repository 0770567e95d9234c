"""Values as a person reads them."""

import pytest

from daemon.cli import text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (28_799, "7 h 59 min"),
        (None, "–"),
    ],
)
def test_durations_take_the_unit_that_suits_them(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (65_400_000, "65 MB"),
        (1_940_000_000, "1.94 GB"),
        (None, "–"),
    ],
)
def test_sizes_count_in_thousands(value: int | None, shown: str) -> None:
    assert text.size(value) == shown


def test_a_fall_is_a_minus_and_nothing_comes_of_nothing() -> None:
    assert text.change(4.0, 3.4) == "-15.0 %"
    assert text.change(3.0, 3.06) == "+2.0 %"
    assert text.change(0.0, 1.0) == text.change(None, 1.0) == "–"


def test_wide_and_combining_characters_keep_the_columns_straight() -> None:
    lines = text.table(("name", "n"), [("日記", "1"), ("e\u0301te\u0301", "22")], right=" r").split(
        "\n"
    )

    assert lines == ["name   n", "日記   1", "e\u0301te\u0301   22"]


def test_line_ends_and_joined_emoji_pass_but_no_command_to_the_terminal() -> None:
    harmless = "tab\tline\nپارسی نمی\u200cخواهم 👩\u200d🌾"

    assert text.printable(harmless) == harmless
    assert text.printable("\x1b[2Jred\r\x9b1m\u202egnp.exe\u2066") == "[2Jred1mgnp.exe"
