"""The word in a file that keeps it out: `nightloom: off` in its front matter or first lines. Pure.

In front matter it stands as a line of its own between the two `---`; elsewhere after a sign of a
comment (`#`, `//`, `<!--`, `%`, `;`) or none, in any capitals.
"""

import re
from collections.abc import Iterator
from itertools import islice

FIRST_LINES = 5
FRONT_MATTER_LINES = 200
_LONGEST_LINE = 200  # characters; a longer one is no marker
_FENCES = ("---", "...")
_MARKER = re.compile(
    r"\s*(?:#+\+?|//+|<!--|%+|;+)?\s*nightloom\s*:\s*(['\"]?)(?:off|no|false)\1\s*(?:-->|#.*)?\s*",
    re.IGNORECASE,
)


def is_marked_off(text: str) -> bool:
    """Whether the file says that it is not to be collected. `false` and `no` mean `off` too."""
    return any(_MARKER.fullmatch(line) for line in _head(text) if len(line) <= _LONGEST_LINE)


def _head(text: str) -> Iterator[str]:
    """The first lines and, where the file begins with front matter, all of that."""
    lines = islice(_lines(text), FRONT_MATTER_LINES)
    fenced = False
    for number, line in enumerate(lines):
        if number == 0:
            fenced = line.rstrip() == _FENCES[0]
        elif fenced and line.rstrip() in _FENCES:
            fenced = False
        if number >= FIRST_LINES and not fenced:
            return
        yield line


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1
