"""Answers on a terminal: Markdown block by block, rows that grow, and what a screen shows of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from daemon.cli.chat_blocks import Blocks, split
from daemon.cli.chat_markdown import Lines
from daemon.cli.chat_rows import Column, Painter, Rows, side_by_side, stacked
from daemon.cli.chat_view import TerminalView

ANSWER = """\
# The bees

They are **back**,
and in the quince.

- one
- two

  with more

1. first

2. second

```python
print("<b>")

x = 1
```
| a | b |
|---|---|
| 1 | 2 |

The <b>end</b>: [here](http://example.org/x).
"""
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """As much of a terminal as is written to."""

    def __init__(self) -> None:
        self.rows = [""]
        self.at = (0, 0)  # row, column
        self.erased = 0

    def write(self, words: str) -> None:
        for piece in re.findall(r"\x1b\[\d*[AJ]|\x1b\[[0-9;]*m|\r|\n|[^\x1b\r\n]+", words):
            row, column = self.at
            if piece == "\r":
                self.at = (row, 0)
            elif piece == "\n":
                self.at = (row + 1, 0)
                self.rows += [""] * (row + 2 - len(self.rows))
            elif piece.endswith("A"):
                self.at = (row - int(piece[2:-1]), column)
                assert self.at[0] >= 0
            elif piece.endswith("J"):
                self.erased += 1
                del self.rows[row + 1 :]
                self.rows[row] = self.rows[row][:column]
            elif not piece.startswith("\x1b"):
                line = self.rows[row].ljust(column)
                self.rows[row] = line[:column] + piece + line[column + len(piece) :]
                self.at = (row, column + len(piece))

    @property
    def shown(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


def view_on(screen: Screen, *titles: str, width: int = 60, height: int = 24) -> TerminalView:
    ticks = iter(range(10_000))
    return TerminalView(
        titles,
        Lines(Console(width=width, color_system=None, force_terminal=True)),
        size=lambda: (width, height),
        write=screen.write,
        clock=lambda: float(next(ticks)),
    )


def drawn(answer: str, *, pieces: int = 3) -> list[str]:
    screen = Screen()
    view = view_on(screen, "personal")
    for start in range(0, len(answer), pieces):
        view.piece(0, answer[start : start + pieces])
    view.ended(0, stopped=False)
    view.close()
    return screen.shown


# --------------------------------------------------------------------------- blocks


@given(st.lists(st.integers(1, 12), max_size=60))
def test_the_blocks_of_an_answer_are_the_same_however_it_comes(sizes: list[int]) -> None:
    blocks, found, start = Blocks(), [], 0
    for size in [*sizes, len(ANSWER)]:
        found += blocks.push(ANSWER[start : start + size])
        start += size
    found.append(blocks.open.strip("\n"))

    assert [block.split("\n")[0] for block in found] == [
        "# The bees",
        "They are **back**,",
        "- one",
        "1. first",
        "```python",
        "| a | b |",
        "The <b>end</b>: [here](http://example.org/x).",
    ]
    assert re.sub(r"\n+", "\n", "\n".join(found)) == re.sub(r"\n+", "\n", ANSWER).strip("\n")


def test_a_block_is_complete_when_another_one_has_begun_for_certain() -> None:
    assert split("One.\n\nTwo") == ([], "One.\n\nTwo")
    assert split("One.\n\nTwo\n") == (["One."], "Two\n")
    assert split("1. a\n\n2") == ([], "1. a\n\n2")
    assert split("```\na\n\nb\n") == ([], "```\na\n\nb\n")
    assert split("") == ([], "")


# --------------------------------------------------------------------------- what is shown


def test_an_answer_is_shown_whole_and_says_what_it_says() -> None:
    shown = drawn(ANSWER)
    text = "\n".join(shown)

    assert "**" not in text
    assert "```" not in text
    assert "They are back,\nand in the quince.\n" in text  # lines end where the model ended them
    assert 'print("<b>")' in text
    assert "The <b>end</b>: here (http://example.org/x)." in text
    assert shown == drawn(ANSWER, pieces=1) == drawn(ANSWER, pieces=len(ANSWER))


def test_what_is_complete_is_never_drawn_again() -> None:
    screen = Screen()
    view = view_on(screen, "personal", height=8)
    for number in range(30):
        for piece in (f"Paragraph {number} ", "goes on.", "\n\n"):
            view.piece(0, piece)
    erased = screen.erased
    view.ended(0, stopped=True)
    view.close()

    assert erased <= 30  # once where a paragraph ends at most, and not for every piece
    assert [row for row in screen.shown if row][::29] == [
        "Paragraph 0 goes on.",
        "Paragraph 29 goes on. …",
    ]


def test_until_there_is_text_it_is_said_what_is_waited_for() -> None:
    screen = Screen()
    view = view_on(screen, "personal")
    view.pulse()
    assert screen.shown[-1].endswith("…")
    view.loading(0, 0.4)
    assert screen.shown[-1].endswith("loading 40 %")
    view.piece(0, "Here.")
    assert screen.shown == ["Here."]


def test_a_block_longer_than_the_screen_shows_its_end_and_then_all_of_it() -> None:
    screen = Screen()
    view = view_on(screen, "personal", height=6)
    view.piece(0, "```\n")
    for number in range(40):
        view.piece(0, f"line {number}\n")
    assert len(screen.shown) == 5
    view.ended(0, stopped=False)
    view.close()

    assert [row.split()[-1] for row in screen.shown if row] == [str(n) for n in range(40)]


def test_a_window_that_is_made_narrower_garbles_nothing_that_is_complete() -> None:
    screen, width = Screen(), [60]
    view = view_on(screen, "personal")
    view._size = lambda: (width[0], 24)
    view.piece(0, "They are back.\n\nAnd the swarm\n")
    width[0] = 30
    view.piece(0, "settled in the quince, where we left it for the night.\n\nThe end.\n")
    view.ended(0, stopped=False)
    view.close()

    text = " ".join(" ".join(screen.shown).split())
    assert text == (
        "They are back. And the swarm And the swarm settled in the quince, where we left it for "
        "the night. The end."
    )
    assert max(map(len, screen.shown)) < 30


@pytest.mark.parametrize("width", [120, 60])
def test_two_answers_that_come_at_once_are_both_there_in_the_end(width: int) -> None:
    screen = Screen()
    view = view_on(screen, "base", "personal", width=width)
    view.piece(1, "They are back.\n\nIn the")
    view.piece(0, "There was once a king, and he had no bees, so he wrote to another king.")
    view.piece(1, " quince.\n")
    view.ended(1, stopped=False)
    view.piece(0, "\n\nThe end.")
    view.ended(0, stopped=False)
    view.close()
    text = "\n".join(screen.shown)

    if width == 120:
        assert screen.shown[0].split() == ["base", "│", "personal"]
        assert {row.index("│") for row in screen.shown if row} == {59}
        assert re.search(r"had no bees, .*│ They are back\.", text)
    else:
        assert "│" not in text
        heads = [row for row in screen.shown if row in ("base", "personal")]
        assert heads == ["base", "personal"]
        assert text.index("The end.") < text.index("They are back.") < text.index("In the quince.")


# --------------------------------------------------------------------------- rows


def test_a_row_is_done_where_it_is_so_in_all_columns() -> None:
    left = Column(title="a", done=["a1", "a2"], open=["a3"])
    right = Column(title="b", done=["b1"], open=["b2"])
    rows = side_by_side([left, right], 2)
    assert rows == Rows(done=["a  │ b", "a1 │ b1"], open=["a2 │ b2", "a3 │"])
    right.open, right.ended = [], True
    assert len(side_by_side([left, right], 2).done) == 3

    below = stacked([left, right])
    assert below.done == ["a", "a1", "a2"]
    assert below.open == ["a3", "", "b", "b1"]


rows = st.lists(st.text("ab", max_size=3), max_size=6)


@given(st.lists(st.tuples(rows, rows), min_size=1, max_size=8), rows)
def test_a_screen_shows_what_is_done_and_then_what_is_open(
    steps: list[tuple[list[str], list[str]]], last: list[str]
) -> None:
    screen, painter, done = Screen(), Painter(), []
    for more, open_ in steps:
        done += more
        screen.write(painter.paint(Rows(done=list(done), open=open_), 50))
        assert screen.shown == [*done, *(open_ or [""])]
    screen.write(painter.paint(Rows(done=[*done, *last], open=[]), 50))
    assert screen.shown == [*done, *last, ""]
