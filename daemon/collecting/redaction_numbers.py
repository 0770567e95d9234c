"""Numbers with check digits: payment cards, IBANs and national numbers. Pure.

From runs of digits with separators between their groups; what of them is a number is decided by
lengths, prefixes and check digits, and for short ones by a word near.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from daemon.collecting.redaction_check_digits import Check, luhn, mod97_10
from daemon.collecting.redaction_national_ids import NAMED, SPELLINGS, NationalId
from daemon.collecting.redaction_reading import Find, Reading, digit_regions, places

_CANDIDATE = re.compile(rb"0(?:[ .()/+-]{0,3}0){5,47}")
_GROUP = re.compile(rb"0+")
_MOST_GROUPS = 8  # in one number
_TABLE_GROUPS = 11  # more than so many in a row are a table
_LIST_BEFORE = re.compile(rb"(?<![0a])(?:0{1,6}(?:[ \t]|[, ][ \n]|\n{1,2})){5}$")
_LIST_AFTER = re.compile(rb"(?:(?:[ \t]|[, ][ \n]|\n{1,2})0{1,6}){5}(?![0a])")
_NAMED_BACK, _NAMED_AHEAD = 56, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Some neighbouring groups of digits: where, how they are grouped, and the digits alone."""

    start: int
    end: int
    spelling: str
    digits: str


def find_checked_numbers(reading: Reading) -> Iterator[Find]:
    for groups in candidates(reading):
        yield from _in_groups(reading, groups)
    for start, end in digit_regions(reading):
        yield from _ibans(reading, start, end)
        yield from _with_letters(reading, start, end)


def candidates(reading: Reading) -> list[list[tuple[int, int]]]:
    """Stretches of groups of digits, as the offsets of their groups."""
    if reading.candidates is None:
        reading.candidates = list(_candidates(reading.shape))
    return reading.candidates


def _candidates(shape: bytes) -> Iterator[list[tuple[int, int]]]:
    for found in _CANDIDATE.finditer(shape):
        groups = [group.span() for group in _GROUP.finditer(shape, *found.span())]
        if len(groups) <= _TABLE_GROUPS:
            yield groups


def neighbours(reading: Reading, groups: list[tuple[int, int]], first: int) -> Iterator[Digits]:
    """All stretches from one group on, the longest first."""
    text, shape = reading.text, reading.shape
    signs = []
    for index in range(first, min(first + _MOST_GROUPS, len(groups))):
        if index > first:
            between = shape[groups[index - 1][1] : groups[index][0]].decode("latin-1")
            signs.append(between.strip() or between[:1])
        signs.append(str(groups[index][1] - groups[index][0]))
    start = groups[first][0]
    for count in range(len(signs) // 2 + 1, 0, -1):
        end = groups[first + count - 1][1]
        digits = "".join(text[a:b] for a, b in groups[first : first + count])
        yield Digits(start=start, end=end, spelling="".join(signs[: 2 * count - 1]), digits=digits)


def stands_alone(reading: Reading, start: int, end: int) -> bool:
    """No letter or digit touches it."""
    shape = reading.shape
    before = shape[max(start - 2, 0) : start]
    return (
        before[-1:] not in (b"a", b"0", b"_", b"\x7f")
        and before not in (b"0.", b"0,", b"a-", b"0-")
        and shape[end : end + 1] not in (b"a", b"0", b"_")
        and not in_list(shape, start, end)
    )


def in_list(shape: bytes, start: int, end: int) -> bool:
    """Whether it is part of a table or a list, of which some neighbours would pass by chance."""
    before = _LIST_BEFORE.search(shape, max(start - 48, 0), start)
    return before is not None or _LIST_AFTER.match(shape, end) is not None


def _in_groups(reading: Reading, groups: list[tuple[int, int]]) -> Iterator[Find]:
    first = 0
    while first < len(groups):
        taken = 1
        for some in neighbours(reading, groups, first):
            find = _as_number(reading, some)
            if find is not None:
                yield find
                taken = sum(1 for start, _ in groups[first:] if start < find.end)
                break
        first += taken


def _as_number(reading: Reading, some: Digits) -> Find | None:
    if not 6 <= len(some.digits) <= 19:
        return None
    if stands_alone(reading, some.start, some.end):
        if is_card(some.digits, some.spelling):
            return Find(some.start, some.end, "card", "payment card")
        if name := _national(reading, some.spelling, some.digits, some.start, some.end):
            return Find(some.start, some.end, "national id", name)
    ending = _LETTERS_AFTER.match(reading.shape, some.end)
    if ending and stands_alone(reading, some.start, ending.end()):
        spelling = some.spelling + ending[0].decode("latin-1")
        value = some.digits + "".join(
            filter(str.isalnum, reading.text[some.end : ending.end()].upper())
        )
        if name := _national(reading, spelling, value, some.start, ending.end()):
            return Find(some.start, ending.end(), "national id", name)
    return None


_LETTERS_AFTER = re.compile(rb"[ -]?a{1,2}(?![a0])")


def _national(reading: Reading, spelling: str, value: str, start: int, end: int) -> str | None:
    for one, own in SPELLINGS.get(spelling, ()):
        if (
            value.isascii()
            and _passes(one.check, value)
            and (own or _is_named(reading, one, start, end))
        ):
            return one.name
    return None


def _passes(check: Check, value: str) -> bool:
    try:
        return check(value)
    except (ValueError, IndexError, KeyError):  # a letter where the number has none
        return False


def _is_named(reading: Reading, one: NationalId, start: int, end: int) -> bool:
    word = one.word or NAMED
    return bool(
        word.search(reading.before(start, _NAMED_BACK))
        or word.search(reading.after(end, _NAMED_AHEAD))
        or (one.word is None and reading.own_line(start, end))
    )


# --------------------------------------------------------------------------- payment cards


def is_card(digits: str, spelling: str) -> bool:
    """Length and prefix of a scheme (ISO/IEC 7812), Luhn's digit, and groups as on a card."""
    groups = re.split(r"[ .-]", spelling)
    if len(groups) > 1 and (any(not g.isdigit() for g in groups) or int(groups[0]) not in (4, 6)):
        return False
    return _has_scheme(digits) and len(set(digits)) > 1 and luhn(digits)


def _has_scheme(d: str) -> bool:
    length, four, six = len(d), int(d[:4] or 0), int(d[:6] or 0)
    if d[0] == "4":
        return length in (13, 16, 19)
    if d[0] == "3":
        if d[:2] in ("34", "37"):
            return length == 15
        if 3528 <= four <= 3589:
            return 16 <= length <= 19
        return (300 <= int(d[:3]) <= 305 or d[:2] in ("36", "38", "39")) and 14 <= length <= 19
    if 51 <= int(d[:2]) <= 55 or 2221 <= four <= 2720:
        return length == 16
    if 2200 <= four <= 2204:
        return 16 <= length <= 19
    if d[0] == "6":
        discover = four == 6011 or 644 <= int(d[:3]) <= 659 or d[:2] in ("60", "62", "81", "82")
        maestro = four in (6304, 6759, 6761, 6762, 6763, 6390, 6771, 6799)
        return (discover and 16 <= length <= 19) or (maestro and 12 <= length <= 19)
    if four in (5018, 5020, 5038, 5612, 5893) or d[:2] in ("50", "56", "57", "58"):
        return 12 <= length <= 19 if four in (5018, 5020, 5038, 5612, 5893) else 16 <= length <= 19
    return (d[:3] in ("508",) or d[:2] in ("81", "82") or 506099 <= six <= 506198) and length == 16


# --------------------------------------------------------------------------- IBAN

# The registry's lengths (ISO 13616).
_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 "
    "DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 "
    "IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 "
    "MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
    "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}


def _ibans(reading: Reading, first: int, last: int) -> Iterator[Find]:
    shape, free = reading.shape, 0
    for at in places(shape, b"aa00", first, last):
        if at < free or shape[at - 1 : at] in (b"a", b"0"):
            continue
        end = _end_of_iban(reading, at)
        if end:
            yield Find(at, end, "iban", "iban")
            free = end


def _end_of_iban(reading: Reading, start: int) -> int:
    text, shape = reading.text, reading.shape
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return 0
    signs, at, limit = "", start, min(start + 2 * length, len(text))
    while at < limit and len(signs) < length:
        if shape[at] in b"a0" and text[at].isascii():
            signs += text[at].upper()
        elif shape[at] not in b" -." or shape[at - 1] not in b"a0":
            return 0
        at += 1
    if len(signs) < length or shape[at : at + 1] in (b"a", b"0"):
        return 0
    return at if mod97_10(signs[4:] + signs[:4]) else 0


# --------------------------------------------------------------------------- letters before

_SHAPES = (
    (b"aaaaaa00a00a000a", "cf", re.compile(rb"a{6}00a00a000a")),
    (b"aaa aaa 00a00 a000a", "cf", re.compile(rb"aaa aaa 00a00 a000a")),
    (b"aaaa000000aaaaaa", "4a6 6a1 1", re.compile(rb"a{4}0{6}a{6}[a0]0")),
    (b"aaaaa0000a", "pan", re.compile(rb"a{5}0{4}a")),
    (b"a0000000a", "a7a", re.compile(rb"a0{7}a")),
    (b"a-0000000", "a-7-a", re.compile(rb"a-0{7}-?a")),
    (b"a0000000-a", "a7-a", re.compile(rb"a0{7}-a")),
    (b"a 0000000 a", "a 7 a", re.compile(rb"a 0{7} a")),
    (b"aa 00 00 00 a", "2a 2 2 2 a", re.compile(rb"aa 00 00 00 a")),
    (b"aa000000a", "2a6a", re.compile(rb"aa0{6}a")),
    (b"a000000(", "a6(1)", re.compile(rb"a{1,2}0{6}\([a0]\)")),
    (b"a000000000", "a9", re.compile(rb"a0{9}")),
    (b"000000a000", "6a3a", re.compile(rb"0{6}a0{3}[a0]")),
    (b"000000+000", "6+4", re.compile(rb"0{6}\+0{3}[a0]")),
    (b"00000000a000", "8a3", re.compile(rb"0{8}a0{3}")),
    (b"00 000000 a", "2 6 a 3", re.compile(rb"00 0{6} a ?0{3}")),
    (b"000000a00000000", "15", re.compile(rb"0{6}a0{8}")),
    (b"0 00 00 0a 000 000 00", "15", re.compile(rb"0 00 00 0a 000 000 00")),
)
_COUNTED = [(literal.count(b"0"), literal, spelling, whole) for literal, spelling, whole in _SHAPES]


def _with_letters(reading: Reading, first: int, last: int) -> Iterator[Find]:
    text, shape = reading.text, reading.shape
    digits = shape.count(b"0", first, last)
    for needed, literal, spelling, whole in _COUNTED:
        if digits < needed:
            continue
        for at in places(shape, literal, first, last):
            start = at - 1 if spelling == "a6(1)" and shape[at - 1 : at] == b"a" else at
            found = whole.match(shape, start)
            if found is None or not stands_alone(reading, start, found.end()):
                continue
            value = "".join(filter(str.isalnum, text[start : found.end()].upper()))
            if name := _national(reading, spelling, value, start, found.end()):
                yield Find(start, found.end(), "national id", name)
