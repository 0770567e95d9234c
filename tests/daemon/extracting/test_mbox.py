"""Where the messages of an mbox begin and end."""

import io

import pytest

from daemon.extracting import mbox
from daemon.extracting.mbox import is_mbox, message_in, stretches

FULL = b"From ada@orchard.example Mon Mar  3 10:00:00 2025\n"


def pieces(data: bytes, start: int = 0) -> list[bytes]:
    found = stretches(io.BytesIO(data), start=start, end=len(data))
    return [data[one.start : one.end] for one in found]


@pytest.mark.parametrize(
    "line",
    [
        FULL,
        b"From - Mon Mar 03 10:00:00 2025\r\n",
        b"From MAILER-DAEMON Mon Mar  3 10:00:00 2025\n",
        b"From ada@orchard.example Mon Mar  3 10:00:00 +0100 2025\n",
        b"From \r\n",
        b"From 1234567890@xxx Mon Mar 03 09:00:00 +0000 2025\r\n",
    ],
)
def test_a_from_line_begins_a_message(line: bytes) -> None:
    end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
    one = line + b"Subject: x" + end * 2 + b"words" + end * 2
    assert is_mbox(one)
    assert pieces(one * 3) == [one] * 3


@pytest.mark.parametrize(
    "line",
    [
        b"From here on it is steep.\n",
        b"From 1990 to 2025 there were damsons.\nMany of them.\n",
        b"From now on: no.\n",
        b">" + FULL,
        b" " + FULL,
    ],
)
def test_a_line_of_a_letter_does_not(line: bytes) -> None:
    one = FULL + b"Subject: x\n\nwords\n\n" + line + b"and more\n\n"
    assert pieces(one * 2) == [one] * 2


def test_a_from_line_without_an_empty_line_before_it_has_to_be_whole() -> None:
    one = FULL + b"Subject: x\n\nwords\n"
    assert pieces(one * 2) == [one] * 2


def test_what_stands_before_the_first_message_is_passed_over() -> None:
    one = FULL + b"Subject: x\n\nwords\n\n"
    assert pieces(b"\n\n" + one) == [one]
    assert pieces(b"junk\n\n" + one) == [one]
    assert not is_mbox(b"junk\n\n" + one)


def test_a_file_is_read_in_pieces_that_cut_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbox, "MOST_LINE", 60)
    messages = [
        FULL + b"Subject: %d\n\n" % size + b"x" * size + b"\n\n" for size in range(0, 700, 7)
    ]
    for piece_bytes in (1, 17, 100, 333):
        monkeypatch.setattr(mbox, "PIECE_BYTES", piece_bytes)
        assert pieces(b"".join(messages)) == messages
        crlf = [one.replace(b"\n", b"\r\n") for one in messages]
        assert pieces(b"".join(crlf)) == crlf


def test_reading_can_begin_where_a_message_does() -> None:
    one, two = FULL + b"Subject: 1\n\nwords\n\n", FULL + b"Subject: 2\n\nwords\n\n"
    assert pieces(one + two, start=len(one)) == [two]


def test_quoted_from_lines_are_as_they_were_written() -> None:
    data = FULL + b"Subject: x\n\n>From here\n>>From there\n> From afar\n"
    assert message_in(data) == b"Subject: x\n\nFrom here\n>From there\n> From afar\n"
