"""Who is who in a letter: the user, and others under pseudonyms. Pure.

Others are called `A`, `B`, ... in the order in which they are met. In what others wrote, the names
of those whom the headers name are exchanged for these letters; the user's own words stay as they
are written.
"""

import re
from collections.abc import Iterable, Sequence
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from string import ascii_uppercase

from daemon.extracting.mail_heads import bare_address
from daemon.extracting.mail_phrases import VERBS

MOST_PEOPLE = 50  # of one letter
_LONGEST_FIELD = 20_000
_WORD = re.compile(r"[^\W\d_][\w'\u2019.-]+")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,255}\w")
_BEFORE_ADDRESS = re.compile(r"([^\d,:;<>()]{2,60}?)[\"']?\s*[<(\[]?[\w.+-]{1,64}@")
_AFTER_VERB = re.compile(rf"(?:{VERBS})\s+(?:von )?([^\d,:;<>()]{{2,60}}?)\s*[:<(]", re.IGNORECASE)
_BEFORE_VERB = re.compile(
    rf"(?:[\d,:.]|\bUhr|\b[AP]M)\s+([^\d,:;<>()]{{2,60}}?)\s+(?:{VERBS})\b", re.IGNORECASE
)
_SHORTEST = 3  # letters of a name that is looked for


def field_of(message: "Message[str, str]", name: str) -> str:
    """A header as text, whatever is wrong with it."""
    try:
        raw = message.get(name)
        if raw is None:
            return ""
        text = str(raw)[:_LONGEST_FIELD]
        try:
            return str(make_header(decode_header(text)))
        except (UnicodeError, LookupError, ValueError):
            return text.encode("ascii", "replace").decode()
    except Exception:
        return ""


def people_in(message: "Message[str, str]", *fields: str) -> list[tuple[str, str]]:
    """Name and address of those whom the fields name."""
    found: list[tuple[str, str]] = []
    for name in fields:
        written = field_of(message, name).replace("\r", " ").replace("\n", " ")
        found += [(who, bare_address(address)) for who, address in getaddresses([written])]
    return [one for one in found if one[1] or one[0]][:MOST_PEOPLE]


def _name_in(line: str) -> str:
    """The name in a line of a mail program: before an address, before or after its verb."""
    found = _BEFORE_ADDRESS.search(line) or _AFTER_VERB.search(line) or _BEFORE_VERB.search(line)
    return " ".join(found[1].strip("\"' ").split()) if found else ""


class Me:
    """The user's addresses. A `+tag` makes no difference unless it was named with one."""

    def __init__(self, me: Sequence[str]) -> None:
        self._addresses = frozenset(bare_address(one) for one in me if "@" in one)

    def is_me(self, address: str) -> bool:
        address = bare_address(address)
        local, _, domain = address.rpartition("@")
        return (
            address in self._addresses or f"{local.partition('+')[0]}@{domain}" in self._addresses
        )

    def named_in(self, text: str) -> bool:
        return any(self.is_me(found) for found in _ADDRESS.findall(text[:_LONGEST_FIELD]))


class Pseudonyms:
    """Letters for the others in one conversation."""

    def __init__(self, me: Me) -> None:
        self._me = me
        self._letters: dict[str, str] = {}  # by address, or by name where there is none
        self._names: dict[str, str] = {}  # a name, or a part of it, to its letter

    def meet(self, people: Iterable[tuple[str, str]]) -> str | None:
        """Learn of people; the letter of the first of them who is not the user."""
        first: str | None = None
        for name, address in people:
            if self._me.is_me(address):
                continue
            letter = self._letter(address or " ".join(name.casefold().split()))
            first = first or letter
            for known in (" ".join(name.split()), *_WORD.findall(name)):
                if len(known) >= _SHORTEST:
                    self._names.setdefault(known.rstrip("."), letter)
            if address:
                self._names.setdefault(address, letter)
        return first

    def meet_line(self, line: str, others: Sequence[tuple[str, str]]) -> str:
        """The letter of whom a line such as `On Monday Anna <a@example.org> wrote:` is about.

        `others` are those whom the headers name: one of them is meant if the line fits.
        """
        addresses = [bare_address(found) for found in _ADDRESS.findall(line)]
        for name, address in others:
            whole = " ".join(name.split())
            if address in addresses or (len(whole) >= _SHORTEST and whole in line):
                return self.meet([(name, address)]) or self._letter(line)
        name = _name_in(line)
        if not addresses and not name:
            return self.meet(others) or self._letter("")
        return self.meet([(name, addresses[0] if addresses else "")]) or self._letter(line)

    def without_names(self, text: str) -> str:
        """What somebody else wrote, with letters for the people who are known here."""
        if not self._names:
            return text
        lines = text.split("\n")
        longest_first = sorted(self._names, key=len, reverse=True)[: 4 * MOST_PEOPLE]
        either = "|".join(re.escape(name) for name in longest_first)
        names = re.compile(rf"(?<!\w)(?:{either})(?!\w)")
        while lines and not names.sub("", lines[-1]).strip(" .,-"):  # signed with it
            lines.pop()
        text = "\n".join(lines)
        return names.sub(lambda found: self._names[found[0]], text)

    def _letter(self, who: str) -> str:
        if who not in self._letters:
            number = len(self._letters)
            letters = ascii_uppercase
            wrapped = "" if number < len(letters) else letters[number // len(letters) - 1]
            self._letters[who] = wrapped + letters[number % len(letters)]
        return self._letters[who]
