"""A large JSON text, value by value, without ever holding more of it than one value.

The caller goes into objects and lists where it knows them and takes whole what is small. Repeated
keys come as often as they stand; numbers too long for any use are 0. Knows nothing of exports.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

MOST_CHARACTERS = 48 << 20  # of one value; in memory it takes up to ten times as much
_LONGEST_NUMBER = 20  # characters
_SPACE = re.compile(r"[ \t\r\n]*")
_TAIL = 2  # characters of a number, `e+`, that are none before its last digits have come
_WHOLE = frozenset('}]"')  # where a value ends with one of these, nothing can be missing


class DamagedJson(Exception):  # noqa: N818 - says what happened
    """Not JSON from here on, or cut off, or deeper or larger than any export."""


class JsonStream:
    """Reads forward only. Every method raises DamagedJson."""

    def __init__(self, pieces: Iterator[str], *, most_characters: int = MOST_CHARACTERS) -> None:
        self._pieces = pieces
        self._most = most_characters
        self._held = ""
        self._at = 0
        self._decoder = json.JSONDecoder(parse_int=_number, parse_constant=lambda _: None)

    def opens(self) -> str:
        """The first character of the next value; empty at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def elements(self) -> Iterator[None]:
        """Into a list: one turn for each element, which the caller takes or skips in it."""
        self._expect("[")
        if self.opens() == "]":
            self._at += 1
            return
        while True:
            yield
            if self._expect(",]") == "]":
                return

    def members(self) -> Iterator[str]:
        """Into an object: the name of each member, whose value the caller takes or skips."""
        self._expect("{")
        if self.opens() == "}":
            self._at += 1
            return
        while True:
            if self.opens() != '"':
                raise DamagedJson
            name = self.value()
            self._expect(":")
            yield name
            if self._expect(",}") == "}":
                return

    def value(self) -> Any:
        """The next value, whole."""
        if not self.opens():
            raise DamagedJson
        while True:
            try:
                value, end = self._decoder.raw_decode(self._held, self._at)
            except RecursionError:
                raise DamagedJson from None
            except ValueError:
                if not self._more():
                    raise DamagedJson from None
                continue
            if self._held[end - 1] in _WHOLE or end + _TAIL < len(self._held) or not self._more():
                self._at = end
                return value

    def skip(self) -> None:
        """Past the next value, of which no more than a part is in memory at a time."""
        opens = self.opens()
        if opens == "[":
            for _ in self.elements():
                self.value()
        elif opens == "{":
            for _ in self.members():
                self.value()
        else:
            self.value()

    def _expect(self, signs: str) -> str:
        sign = self.opens()
        if not sign or sign not in signs:
            raise DamagedJson
        self._at += 1
        return sign

    def _more(self) -> bool:
        """At least twice as much as is held and not read, so that trying again stays linear."""
        before = size = len(self._held) - self._at
        if before > self._most:
            raise DamagedJson
        pieces: list[str] = []
        while size <= 2 * before and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            size += len(piece)
        if not pieces:
            return False
        self._held, self._at = "".join((self._held[self._at :], *pieces)), 0
        return True


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else 0
