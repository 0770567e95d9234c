"""Private keys in the forms in which they are kept in files. Pure.

PEM of any label, OpenSSH, OpenPGP, SSH2, PuTTY, JSON Web Keys, XML and age, also quoted, indented,
escaped into one line, or cut off.
"""

import re
from collections.abc import Iterator

from daemon.collecting.redaction_reading import Find, Reading

# RFC 7468 (PEM), RFC 9580 (OpenPGP) and RFC 4716 (SSH2: four dashes and spaces).
_BORDER = re.compile(
    r"[-–—]{2,5} ?(?P<word>BEGIN|END) (?P<label>[A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?) ?[-–—]{2,5}"
)
# What stands between the lines of a key's body: also quotes of mail and code, escapes, ellipses.
_BETWEEN = r"(?:\\++[rn]|\.{2,}|[\s>\"'|,;*…\[\]+]){0,48}+"
_BODY = re.compile(
    rf"(?:{_BETWEEN}[A-Z][A-Za-z0-9-]{{1,30}}+: [^\n\\]*+(?=[\n\\]|$))*+"  # armor headers
    rf"(?:{_BETWEEN}(?:[A-Za-z0-9+/=]{{16,}}+|=[A-Za-z0-9+/]{{4}}(?![A-Za-z0-9+/])))*+"
)
_LAST_LINE = re.compile(
    r"(?:[ \t\"'+,]{0,8}\n|\\++n)[ \t>\"'|+]{0,16}+[A-Za-z0-9+/]{1,15}+={0,2}+"
    r"(?=[ \t\r\"',\\.…*\[\]]*+(?:\n|$))"
)
_FULL_LINE = re.compile(r"[ \t>\"'|]*+[A-Za-z0-9+/=]{16,}+[ \t\r\"',]*+$")
_SHORT_LINE = re.compile(r"[ \t>\"'|]*+[A-Za-z0-9+/]{1,80}+={0,2}+[ \t\r\"',]*+$")
_LINES_BACK = 200

_PUTTY = re.compile(r"PuTTY-User-Key-File-\d: ")
_PUTTY_LINE = re.compile(
    r"[ \t>]*+(?:(?:PuTTY|Encryption|Comment|Public|Private|Key|Argon2)[\w-]*: [^\n]*|"
    r"[A-Za-z0-9+/]{1,76}={0,2})\r?(?:\n|$)"
)
_JWK_BYTES = 16_384
_JWK_PRIVATE = re.compile(r"\\*[\"'](?:d|k)\\*[\"']\s{0,8}:\s{0,8}\\*[\"'][A-Za-z0-9_-]{16}")


def find_private_keys(reading: Reading) -> Iterator[Find]:
    text = reading.text
    for start, end in _blocks(text):
        yield Find(start, end, "private key", "pem")
    if ":" in text and "PuTTY-User-Key-File" in text:
        for start, end in _putty_files(text):
            yield Find(start, end, "private key", "putty")
    if ":" in text and "kty" in text:
        for start, end in _json_web_keys(text):
            yield Find(start, end, "private key", "jwk")
    for start, end in _between(text, "<RSAKeyValue>", "</RSAKeyValue>") if "<" in text else ():
        if "<D>" in text[start:end]:
            yield Find(start, end, "private key", "xml")


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """From BEGIN to END; where one is missing, as far as the lines look like a key."""
    if "PRIVATE KEY" not in text:
        return
    begun: re.Match[str] | None = None
    free = 0
    for border in _BORDER.finditer(text):
        if border["word"] == "BEGIN":
            if begun is not None:
                yield begun.start(), _end_of_body(text, begun.end(), border.start())
            begun = border
            continue
        start = begun.start() if begun else _start_of_body(text, border.start(), free)
        yield start, border.end()
        begun, free = None, border.end()
    if begun is not None:
        yield begun.start(), _end_of_body(text, begun.end(), len(text))


def _end_of_body(text: str, start: int, limit: int) -> int:
    """Where what looks like a key ends; empty lines at the end stay outside."""
    body = _BODY.match(text, start, limit)
    assert body is not None  # it can be empty
    last = _LAST_LINE.match(text, body.end(), limit) if body[0] else None
    return last.end() if last else body.end()


def _start_of_body(text: str, end: int, free: int) -> int:
    """Where the lines of base64 above an END begin."""
    start = at = text.rfind("\n", free, end) + 1 or free
    for _ in range(_LINES_BACK):
        above = text.rfind("\n", free, max(at - 1, free)) + 1 or free
        line = text[above : max(at - 1, above)]
        looks = _FULL_LINE.match(line) or (at == start and _SHORT_LINE.match(line))
        if at <= free or not looks:
            break
        at = above
    return at if at < start else end


def _putty_files(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while begun := _PUTTY.search(text, at):
        at = end = begun.start()
        while line := _PUTTY_LINE.match(text, at):
            at = line.end()
            end = at
            if line[0].lstrip(" \t>").startswith("Private-MAC"):
                break
        at = end = max(end, begun.end())
        yield begun.start(), end - 1 if text[end - 1] == "\n" else end


def _json_web_keys(text: str) -> Iterator[tuple[int, int]]:
    """Whole objects with a private member."""
    free = 0
    at = text.find("kty")
    while at != -1:
        start = text.rfind("{", max(free, at - _JWK_BYTES), at)
        end = text.find("}", at, at + _JWK_BYTES)
        if start != -1:
            end = end + 1 if end != -1 else min(at + _JWK_BYTES, len(text))
            if _JWK_PRIVATE.search(text, start, end):
                yield start, end
            free = end
        at = text.find("kty", max(at + 3, free))


def _between(text: str, begin: str, end: str) -> Iterator[tuple[int, int]]:
    at = text.find(begin)
    while at != -1:
        stop = text.find(end, at)
        stop = stop + len(end) if stop != -1 else min(at + _JWK_BYTES, len(text))
        yield at, stop
        at = text.find(begin, stop)
