"""Passwords and other secrets where something is set to them: `password = ...`, `token: "..."`.

From each equals sign and colon: left of it a word that names a secret, right of it a value. In
code, settings, headers, queries and lists alike. Pure.
"""

import re
from collections.abc import Iterator

from daemon.collecting.redaction_password_words import (
    NO_VALUES,
    PASSWORD_ALONE,
    PASSWORD_BEYOND_LATIN,
    PASSWORD_WITHIN,
    SECRET_ALONE,
    SECRET_WITHIN,
)
from daemon.collecting.redaction_reading import MASK, Find, Reading
from daemon.collecting.redaction_tokens import bits_per_character, looks_random

_HEAD = 56  # folded characters left of the sign that are looked at
_TAIL = rb"[\w.-]{0,24}[\"'`\])* \t\\]{0,6}(?:: ?[a-z|? ]{1,16})?[:=!]?$"
_NAME = re.compile(
    rb"(?P<password>" + PASSWORD_WITHIN + rb"|(?<![a-z0-9])(?:" + PASSWORD_ALONE + rb")(?![a-z]))"
    + _TAIL + rb"|(?P<secret>" + SECRET_WITHIN + rb"|(?<![a-z0-9])(?:" + SECRET_ALONE
    + rb")(?![a-z]))" + _TAIL
    + rb"|(?P<authorization>authorization)[\"'`\]) \t\\]{0,6}$"
    + rb"|(?P<cookie>(?<![a-z])(?:set-)?cookie)[\"'`\]) \t\\]{0,6}$"
)  # fmt: skip
# A part of every name above; without one the dear search is saved.
_PARTS = re.compile(
    rb"pass|pwd?\b|pwd|ps[wk]|kenn|zugang|asena|wacht|senha|parol|has[l?]o|heslo|jels|lozin|salas|losen|"
    rb"adgan|kodeo|slapt|ifre|geslo|paroo|geheim|mdp|clave|pin|puk|tan|key|schlus|code|master|secret|"
    rb"token|cred|auth|sig|jwt|sas|sid|session|connect|bearer|cookie|trasen|\?\?|\bk$"
)
_BEYOND_LATIN = re.compile(rf"(?:{PASSWORD_BEYOND_LATIN})[\"'»」 \t]{{0,4}}$", re.IGNORECASE)
_ONLY_QUERY = frozenset((b"key", b"sig", b"code", b"k", b"sid", b"auth"))

_SIGN = r"[=:：＝]{1,3}[>~]?(?:\*\*(?=[ \t]))?[ \t]{0,8}(?:[|>]-?\n[ \t]{1,12})?"
_QUOTED = re.compile(
    _SIGN + r"[rbfu@L]{0,2}(?:"
    r"\\+\"(?P<a>[^\"\\\n]{1,256})\\+\"|\"(?P<b>(?:[^\"\\\n]|\\.){1,256})\"|"
    r"\\+'(?P<c>[^'\\\n]{1,256})\\+'|'(?P<d>(?:[^'\\\n]|\\.){1,256})'|"
    r"`(?P<e>[^`\n]{1,256})`|[“„](?P<f>[^“”\n]{1,128})[”“]|[«「](?P<g>[^»」\n]{1,128})[»」]|"
    r"\*\*(?P<h>[^*\n]{1,128})\*\*)"
)
_BARE = re.compile(_SIGN + r"(?P<value>[^\s\"'`<>,|\x7f][^\s\"'`<>\x7f]{2,255})")
_CODE = re.compile(
    r"[A-Za-z_]\w*(?:\(|\[|->|::|\.[A-Za-z_]\w*(?:$|[.(\[]))|[({\[]|&?(?:\w{0,24}_|new|old|my|"
    r"user|db|your|the|current|confirm|hashed)?(?:pass|password|passwd|pwd|secret|token|key|creds?)s?(?:_\w{0,24})?$|"
    r"(?-i:[a-z]+(?:Pass|Pwd|Secret|Token|Key|Cred)[A-Za-z]*$)|(?-i:[A-Z][A-Z_]+$)",
    re.IGNORECASE,
)
_NOT_GIVEN = re.compile(
    r"[$%@]?[{(<\[]|\$\w|%[A-Za-z_]+%|%[sdv]\b|[*•.xX#_-]+$|<|enter |your |type |https?://|\.{0,2}/"
)
_AUTHORIZATION = re.compile(
    _SIGN
    + r"(?:[\\\"'`]{1,2})?(?:(?:Basic|Bearer|Token|Digest|ApiKey|Key|Negotiate|SharedKey \w{1,40}:|"
    r"AWS \w{1,40}:)[ =])?[ ]?(?P<value>[A-Za-z0-9][^\s\"'`\\<>\x7f]{5,4096})",
    re.IGNORECASE,
)
_COOKIE = re.compile(_SIGN + r"(?:[\\\"'`]{1,2})?(?P<value>[\w.-]{1,64}=[^\n\"'`\x7f]{4,1024})")
_COOKIE_PART = re.compile(r"[\w.-]{1,64}=([^;\s\"'`\x7f]{8,2048})")


def find_assigned_secrets(reading: Reading) -> Iterator[Find]:
    if b"=" not in reading.folded and b":" not in reading.folded:
        return
    signs, free = reading.separators, 0
    at = signs.find(b"=")
    while at != -1:
        if at >= free:
            for find in _at_sign(reading, at):
                yield find
                free = find.end
        at = signs.find(b"=", at + 1)


def _at_sign(reading: Reading, at: int) -> Iterator[Find]:
    head = reading.before(at, _HEAD)
    head = head[head.rfind(b"\n") + 1 :]
    if not _PARTS.search(head):
        return
    named = _NAME.search(head)
    if named is None:
        if b"??" in head and _BEYOND_LATIN.search(reading.text[max(at - 24, 0) : at]):
            yield from _password(reading, at, b"")
        return
    if named.lastgroup == "password":
        yield from _password(reading, at, head[: named.start()])
    elif named.lastgroup == "secret":
        yield from _secret(reading, at, head, named)
    elif named.lastgroup == "authorization":
        found = _AUTHORIZATION.match(reading.text, at)
        if found and not _NOT_GIVEN.match(found["value"]) and _is_code_like(found["value"]):
            yield Find(*found.span("value"), "token", "authorization header")
    else:
        found = _COOKIE.match(reading.text, at)
        for part in _COOKIE_PART.finditer(reading.text, *found.span("value")) if found else ():
            yield Find(*part.span(1), "token", "cookie header")


def _password(reading: Reading, at: int, before: bytes) -> Iterator[Find]:
    text = reading.text
    if quoted := _quoted(text, at):
        start, end = quoted
        value = text[start:end]
        sentence = " " in value and ("pass" in value.casefold() or value.count(" ") > 4)
        if len(value) >= 3 and not sentence and _given(value):
            yield Find(start, end, "password", "password assigned")
        return
    found = _BARE.match(text, at)
    if not found:
        return
    start, end = found.span("value")
    end = _trimmed(text, start, end, query=_in_query(reading, at))
    value = text[start:end]
    if len(value) < 3 or not _given(value) or _CODE.match(value):
        return
    alone = not text[end : end + 2].strip(" \t\r").strip(";,&)\\") or text[end : end + 1] in ";,&)"
    joined = text[at] == "=" and start == at + 1
    by_itself = joined or (alone and (text[at] == "=" or len(before.split()) <= 3))
    if mixed(value) or by_itself:
        yield Find(start, end, "password", "password assigned")


def _secret(reading: Reading, at: int, head: bytes, named: re.Match[bytes]) -> Iterator[Find]:
    text, word = reading.text, named["secret"]
    query = _in_query(reading, at)
    if word in _ONLY_QUERY and not (query or named.end("secret") - named.start() > 5):
        return
    quoted = _quoted(text, at)
    if quoted is None:
        found = _BARE.match(text, at)
        if not found:
            return
        start, end = found.span("value")
        end = _trimmed(text, start, end, query=query)
    else:
        start, end = quoted
    value = text[start:end]
    if " " in value or len(value) < 6 or not _given(value):
        return
    if quoted is None and _CODE.match(value) and not looks_random(value):
        return
    named_secret = word == b"secret" and (quoted or text[at] == "=") and mixed(value)
    if named_secret or (len(value) >= 8 and _is_code_like(value)):
        yield Find(start, end, "token", "secret assigned")


def _quoted(text: str, at: int) -> tuple[int, int] | None:
    found = _QUOTED.match(text, at)
    return found.span(str(found.lastgroup)) if found else None


def _given(value: str) -> bool:
    """Whether this can be a value, and not a word about one or a place for one."""
    folded = value.casefold().strip(" .,;:!?")
    return (
        bool(folded)
        and folded not in NO_VALUES
        and not _NOT_GIVEN.match(value)
        and MASK not in value
    )


def _is_code_like(value: str) -> bool:
    return looks_random(value) and bits_per_character(value) >= 2.8


def _trimmed(text: str, start: int, end: int, *, query: bool) -> int:
    value = text[start:end]
    for sign in ";&" if query else ";":
        value = value.partition(sign)[0]
    value = value.rstrip(".,:)]}\\" if not mixed(value) else ".,:)]}\\*")
    return start + len(value)


def _in_query(reading: Reading, at: int) -> bool:
    before = reading.before(at, _HEAD)
    word = re.search(rb"[?&][\w.-]{1,40}$", before)
    return reading.text[at] == "=" and word is not None


def mixed(value: str) -> bool:
    """Letters with digits or with signs that words do not have, or at least four digits alone."""
    letters = any(sign.isalpha() for sign in value)
    digits = any(sign.isdigit() for sign in value)
    signs = any(not sign.isalnum() and sign not in "-'’./,:;()" for sign in value.rstrip("!?"))
    return (letters and (digits or signs)) or (value.isdigit() and len(value) >= 4)
