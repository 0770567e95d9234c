"""Names of people in what is said in a chat: replaced by the pseudonyms that they have there.

A name is found where it is called (`@Name`), where it begins a line, and anywhere if it has several
words or is a telephone number. A first name by itself, inside a sentence, is left: nobody can tell
it from a word. Pure.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

MARKS = "‎‏؜‪-‮⁦-⁩﻿"  # of the direction of writing, unseen
_MARK = re.compile(f"[{MARKS}]")
_ISOLATE = re.compile("[⁨⁩]")  # which the app puts around a name that is called
_WORD = re.compile(r"\w+")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_MENTION = re.compile(r"(?<!\w)@(?:⁨~?\s?(?P<name>[^⁨⁩\n]{1,100})⁩|\+?(?P<digits>\d{7,15})\b)")
_BEFORE_IN_LINE = re.compile(rf"[\s{MARKS}*_~>\"'“„«(\[-]*$")
_AFTER_FIRST_NAME = re.compile(r"\s*(?:[,:!?]|$)", re.MULTILINE)
_SHORTEST_FIRST_NAME = 3
_LONGEST_NAME = 200
_TELEPHONE_DIGITS = 7
_FEW_WORDS = 32  # that are looked for one by one
_BEFORE = 40  # characters looked at before a name, for the beginning of its line


@lru_cache(maxsize=4096)
def shown_name(name: str) -> str:
    """A name without unseen marks and the sign of those who are not in the address book."""
    plain = unicodedata.normalize("NFC", _MARK.sub("", name)).replace("\xa0", " ")
    return plain.replace("\u202f", " ").strip().removeprefix("~").strip()


def same_name(name: str) -> str:
    """What two spellings of one name share."""
    return " ".join(shown_name(name).casefold().split())


class Pseudonyms:
    """`A`, `B`, ... in the order in which people come up in one conversation."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def of(self, person: str) -> str:
        return self._given.setdefault(person, _letters(len(self._given)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    person: str
    name: str = field(repr=False)
    first_only: bool = False  # a first name, of somebody with more names
    anywhere: bool


class Names:
    """Who is meant by which name in one chat. `people` are (person, name) of all but the user."""

    def __init__(self, people: Iterable[tuple[str, str]], *, me: Iterable[str] = ()) -> None:
        self._by_word: dict[str, list[_Named]] = {}
        self._by_name: dict[str, str] = {}
        self._by_digits: dict[str, str] = {}
        self._me = frozenset(same_name(name) for name in me)
        self._my_first = frozenset(name.split()[0] for name in self._me if name)
        for person, name in people:
            self._take_in(person, shown_name(name[:_LONGEST_NAME]))
        for named in self._by_word.values():
            named.sort(key=lambda one: (-len(one.name), one.first_only))

    def replaced(self, text: str, pseudonyms: Pseudonyms) -> str:
        """The text with pseudonyms where somebody other than the user is named."""
        if not self._may_name(text):
            return text if text.isascii() else _ISOLATE.sub("", text)
        pieces: list[str] = []
        at = 0
        for start, end, person in self._finds(text):
            if start >= at:
                pieces += text[at:start], pseudonyms.of(person)
                at = end
        return _ISOLATE.sub("", "".join((*pieces, text[at:])))

    def _may_name(self, text: str) -> bool:
        """Whether anybody is named in it: nearly never, and asked of each message."""
        if "@" in text:
            return True
        folded = text.casefold()
        words = self._by_word.keys()
        if len(words) <= _FEW_WORDS and not any(word in folded for word in words):
            return False
        return not words.isdisjoint(_WORD.findall(folded))

    def _take_in(self, person: str, name: str) -> None:
        self._by_name.setdefault(same_name(name), person)
        digits = "".join(re.findall(r"\d", name))
        is_number = len(digits) >= _TELEPHONE_DIGITS and not re.search(r"[^\W\d_]", name)
        if is_number:
            self._by_digits.setdefault(digits, person)
        core = _EDGES.sub("", name)
        words = core.split()
        if not words:
            return
        self._add(_Named(person=person, name=core, anywhere=len(words) > 1 or is_number))
        first = words[0]
        is_first_name = len(words) > 1 and len(first) >= _SHORTEST_FIRST_NAME and not is_number
        if is_first_name and first.casefold() not in self._my_first:
            self._add(_Named(person=person, name=first, first_only=True, anywhere=False))

    def _add(self, named: _Named) -> None:
        first = _WORD.match(named.name)
        if first is not None:
            self._by_word.setdefault(first[0].casefold(), []).append(named)

    def _finds(self, text: str) -> Iterator[tuple[int, int, str]]:
        """(start, end, person) in order of their starts; some may overlap."""
        finds = [*self._mentions(text), *self._spelled(text)]
        return iter(sorted(finds, key=lambda find: (find[0], -find[1])))

    def _mentions(self, text: str) -> Iterator[tuple[int, int, str]]:
        if "@" not in text:
            return
        for found in _MENTION.finditer(text):
            digits, name = found["digits"], found["name"]
            if digits is not None:
                yield *found.span(), self._by_digits.get(digits, digits)
            elif same_name(name) not in self._me:
                yield *found.span(), self._by_name.get(same_name(name), same_name(name))

    def _spelled(self, text: str) -> Iterator[tuple[int, int, str]]:
        for word in _WORD.finditer(text):
            for named in self._by_word.get(word[0].casefold(), ()):
                start, end = word.start(), word.start() + len(named.name)
                spelled = text[start:end]
                if spelled.casefold() != named.name.casefold() or _goes_on(text, end):
                    continue
                called = _called(text, start)
                if called is not None:
                    yield called, end, named.person
                elif named.anywhere or _addressed(named, spelled, text, start):
                    yield start, end, named.person
                else:
                    continue
                break


def _addressed(named: _Named, spelled: str, text: str, start: int) -> bool:
    """Whether a name begins a line; one that may well be a word only with a sign after it."""
    if not _begins_line(text, start):
        return False
    if named.first_only or len(named.name) < _SHORTEST_FIRST_NAME:
        return _AFTER_FIRST_NAME.match(text, start + len(spelled)) is not None
    return spelled == named.name


def _goes_on(text: str, end: int) -> bool:
    return end < len(text) and (text[end].isalnum() or text[end] == "_")


def _called(text: str, start: int) -> int | None:
    """Where the `@` before a name stands."""
    before = _MARK.sub("", text[max(0, start - 4) : start]).rstrip("~ ")
    if not before.endswith("@"):
        return None
    at = text.rindex("@", 0, start)
    return None if at and text[at - 1].isalnum() else at  # within an address, no call


def _begins_line(text: str, start: int) -> bool:
    line = text.rfind("\n", max(0, start - _BEFORE), start) + 1
    if line == 0 and start > _BEFORE:
        return False
    return _BEFORE_IN_LINE.fullmatch(text, line, start) is not None


def _letters(number: int) -> str:
    """A to Z, then AA, AB, ..."""
    letters = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters
