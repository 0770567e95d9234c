"""Telephone numbers: international ones, and national ones as they are usually written. Pure.

Dates, prices, versions, addresses of the network, page ranges and plain integers are none; a run
of digits without a form of its own is one only after a word such as "phone".
"""

import re
from collections.abc import Iterator

from daemon.collecting.redaction_numbers import Digits, candidates, in_list, neighbours
from daemon.collecting.redaction_reading import Find, Reading, places

_FEWEST, _MOST = 8, 15  # digits with the country's code (ITU-T E.164)
_INTERNATIONAL = re.compile(r"\+[1-9](?:[ .()/\u2010\u2011\u2013\u00a0\u202f-]{0,3}\d){6,14}(?!\d)")
# North America; Italian and other mobiles in threes; India; China; Japan; Brazil; Russia; others.
_FORMS = re.compile(
    r"(?:1[- .]?)?\(?[2-9]\d{2}(?:\) ?|[-. /])\d{3}[-. ]\d{4}|"
    r"[6-9]\d{4}[ -]\d{5}|1[3-9]\d[ -]\d{4}[ -]\d{4}|"
    r"\d{2}[) ] ?9\d{4}-\d{4}|\d{2}\) ?\d{4}-\d{4}|8[ -]?\(?\d{3}\)?[ -]?\d{3}[ -]\d{2}[ -]\d{2}|"
    r"\d{3}\) ?\d{3}[- ]\d{2}[- ]\d{2}|"
    r"1-?[38]00[- ]\d{3}[- ]\d{3,4}"
)
_PAIR_AFTER, _PAIR_BEFORE = re.compile(rb"[ .-]00(?!0)"), re.compile(rb"00[ .-]")
_TRUNK = re.compile(r"0[1-9]")
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|1[0-2])\1(?:\d{4}|\d{2})(?!\1\d{2}\b)|"
    r"(?:1[5-9]|20)\d{2}([./-])(?:0?[1-9]|1[0-2])\2\d{1,2}(?!\d)"
)
_NAMED = re.compile(
    rb"(?:\b(?:tel|phone|telephone|telefon\w{0,6}|telefoon\w{0,6}|telefono|telefone|"
    rb"tlf|tlfn|tfno|puhelin|puh|"
    rb"mobil\w{0,6}|cell|cellphone|cellular|fax|handy\w{0,6}|natel|portable|movil|"
    rb"celular|gsm|whatsapp|signal|"
    rb"rufnummer|durchwahl|call|text|sms|ring|dial|hotline|landline|fon|phoned|"
    rb"my number|her number|his number)|"
    rb"telefon|phone)\b[ .:=#(]{0,4}(?:(?:number|nr|no|is|me|us|him|her|them|on|at|"
    rb"under|unter|home|work|office|mobile|nummer|numero|numer|ist|a|to|the)[ .:=#(]{1,3}){0,3}$"
)
_BEYOND_LATIN = re.compile(
    r"(?:тел|телефон|电话|電話|手机|전화|τηλ|טלפון|هاتف)\w{0,6}[ .:：]{0,3}$"
)


def find_phone_numbers(reading: Reading) -> Iterator[Find]:
    text = reading.text
    for at in places(reading.shape, b"+0") if b"+" in reading.shape else ():
        found = _INTERNATIONAL.match(text, at)
        if found and reading.shape[at - 1 : at] not in (b"0", b"a"):
            digits = sum(map(str.isdigit, found[0]))
            if _FEWEST <= digits <= _MOST and len(set(found[0])) > 3:
                yield Find(at, found.end(), "phone", "international phone")
    for groups in candidates(reading):
        first = 0
        while first < len(groups):
            taken = 1
            for some in neighbours(reading, groups, first):
                if rule := _rule(reading, some):
                    bracket = text[some.start - 1 : some.start] == "("
                    start = some.start - (bracket and ")" in text[some.start : some.end])
                    yield Find(start, some.end, "phone", rule)
                    taken = sum(1 for start, _ in groups[first:] if start < some.end)
                    break
            first += taken


def _rule(reading: Reading, some: Digits) -> str | None:
    count = len(some.digits)
    if not 6 <= count <= _MOST or not _is_whole(reading, some):
        return None
    text = reading.text[some.start : some.end]
    if _DATE.search(text) and not _in_pairs(some.spelling):
        return None
    if _in_pairs(some.spelling) and (
        _PAIR_AFTER.match(reading.shape, some.end)
        or (some.start > 2 and _PAIR_BEFORE.match(reading.shape, some.start - 3))
    ):
        return None  # a list of such
    if (
        some.digits.startswith("00")
        and some.digits[2] != "0"
        and count >= 10
        and some.spelling != str(count)
    ):
        return "international phone"
    if _with_trunk(some, text, bracket=reading.text[some.start - 1 : some.start] == "("):
        return "national phone"
    if _FORMS.fullmatch(text.replace("\u2013", "-").replace("\u2011", "-").replace("\u00a0", " ")):
        return "national phone"
    if _is_named(reading, some) and not _looks_like_address(some):
        return "named phone"
    return None


def _is_whole(reading: Reading, some: Digits) -> bool:
    """Nothing goes on left or right of it: no letter, no digit, no decimal comma, no time."""
    shape, left, right = reading.shape, some.start - 1, some.end
    before = shape[max(left - 1, 0) : some.start]
    after = shape[right : right + 2]
    return (
        before[-1:] not in (b"a", b"0", b"_", b"$", b"\x7f", b"#", b"+", b"/", b"=")
        and not (before[-1:] in (b".", b",", b"-", b":", b"/") and before[:1] == b"0")
        and not (before[-1:] in (b".", b"-") and before[:1] == b"a")
        and after[:1] not in (b"a", b"0", b"_", b"%")
        and not in_list(shape, some.start, some.end)
        and not (
            after[:1] in (b",", b":", b"-", b"/", b".")
            and after[1:] in (b"0", b"a")
            and len(after) == 2
        )
    )


def _with_trunk(some: Digits, text: str, *, bracket: bool) -> bool:
    """A zero for the trunk, an area, a number: most of Europe, Asia, Oceania."""
    count = len(some.digits)
    if not (_TRUNK.match(text) and 9 <= count <= 12 and len(set(some.digits)) > 3):
        return False
    groups = [int(length) for length in re.findall(r"\d+", some.spelling)]
    if len(groups) == 1:
        return count in (10, 11)
    if groups[0] < 2 or max(groups) > 8 or len(groups) > 6:
        return False
    if "/" in some.spelling[len(str(groups[0])) + 1 :]:
        return False
    signs = set(re.sub(r"\d+", "", some.spelling))
    if signs == {"."} and len(groups) == 4 and max(groups) <= 3:
        return False  # an address of the network
    return bracket or set(groups) != {2} or _in_pairs(some.spelling)


def _in_pairs(spelling: str) -> bool:
    return re.fullmatch(r"2([ .-])2\1(?:2\1)2\1?2", spelling) is not None


def _looks_like_address(some: Digits) -> bool:
    return re.fullmatch(r"\d\.\d\.\d\.\d", some.spelling) is not None


def _is_named(reading: Reading, some: Digits) -> bool:
    if _NAMED.search(reading.before(some.start, 40)):
        return True
    before = reading.text[max(some.start - 12, 0) : some.start]
    return not before.isascii() and bool(_BEYOND_LATIN.search(before))
