"""Passwords where no sign sets them: in sentences, on command lines, in markup and calls. Pure.

From each word for a password. In a sentence only a value with digits or signs in it, or in quotes,
is one: "my password is hunter22!", but not "the password is wrong".
"""

import re
from collections.abc import Iterator

from daemon.collecting.redaction_password_words import NO_VALUES
from daemon.collecting.redaction_passwords import mixed
from daemon.collecting.redaction_reading import Find, Reading, places

_STEMS = (
    b"pass",
    b"pwd",
    b"kennwort",
    b"contrase",
    b"wachtwoord",
    b"senha ",
    b" pin ",
    b"identified by '",
)
_PASS = (b"passw", b"passphr", b"passcod", b"passo", b"passe ", b"pass -p")
_BEYOND_LATIN = ("парол", "密码", "密碼", "パスワード", "비밀번호", "has\u0142o", "\u015fifre")

_VERB = (
    r"(?:is|was|ist|war|lautet|lautete|est|[ée]tait|es|era|[èé]|[eé] agora|foi|jest|je|är|er|on|to|"
    r"это|был|は|是|->|→|[-–](?=[ ]))"
)
_SENTENCE = re.compile(
    r"[\w'’-]{2,20}?(?P<end>(?<=\w))(?:s|words?|wort|wörter)?"
    r"(?:[ ](?:for|to|of|on|für|zum|vom|pour|de|du|para|do|da|voor|от|для)[ ]"
    r"[^\s.!?;:]{1,24}(?:[ ][^\s.!?;:]{1,24}){0,4}?)?"
    rf"(?:[ ]{{0,2}}{_VERB})(?:[ ](?:now|still|"
    r"(?:changed|set|reset)(?:[ ]to)?|just|jetzt|immer[ ]noch|maintenant|ahora))?"
    r"[ :]{0,3}(?:[\"“„«'‘`](?P<quoted>[^\s\"“”»'’`]{3,64})[\"”“»'’`]|"
    r"(?P<bare>[^\s\"“”«»`<>\x7f]{4,64}))",
    re.IGNORECASE,
)
_NEXT = re.compile(r"\w{2,12}[ ](?P<bare>[^\s\"“”«»`<>\x7f]{6,64})")
_COMMAND = re.compile(r"--?[\w-]{0,24}$")
_AFTER = re.compile(
    r"(?:identified by|[\w-]{2,24})(?:"
    r"[ ](?P<argument>[^\s\"'<>\x7f-][^\s\"'<>\x7f]{2,127})|"  # --password x
    r"[\"'][ ]{1,4}value[ ]{0,2}=[ ]{0,2}[\"']"  # key="Password" value="x"
    r"(?P<attribute>[^\"'\s\x7f]{3,128})[\"']|"
    r"[ ]-p[ ]?[\"']?(?P<option>[^\"'\s\x7f]{3,128})|"  # sshpass -p x
    r"[ ][\"'](?P<argument2>[^\s\"'\x7f]{3,127})[\"']|"
    r">(?P<element>[^<\n\x7f]{3,128})</|"  # <password>x</password>
    r"[\"']?\)?[ ]{0,2}[,(][ ]{0,2}[rb@]{0,2}[\"']"  # setPassword("x")
    r"(?P<call>[^\"'\s\x7f]{3,128})[\"'])",
    re.IGNORECASE,
)
_ALGORITHM = re.compile(r"(?:sha|md|rsa|aes|utf|wpa|v)-?\d", re.IGNORECASE)


def find_said_passwords(reading: Reading) -> Iterator[Find]:
    text = reading.text
    for stem in [stem for stem in _STEMS if stem in reading.folded]:
        for at in places(reading.folded, stem):
            if stem == b"pass" and not reading.folded.startswith(_PASS, at):
                continue
            yield from _after_word(text, at + (stem[0] == 0x20))
    if not text.isascii():
        for word in _BEYOND_LATIN:
            at = text.find(word)
            while at != -1:
                yield from _after_word(text, at)
                at = text.find(word, at + len(word))


def _after_word(text: str, at: int) -> Iterator[Find]:
    before = text[max(at - 26, 0) : at]
    if found := _AFTER.match(text, at):
        kind = found.lastgroup or ""
        plain = kind.startswith("argument")
        value = found[kind]
        if (not plain or _COMMAND.search(before) or (kind == "argument2")) and _is_given(value):
            yield Find(*found.span(kind), "password", "password as argument")
            return
    if found := _SENTENCE.match(text, at):
        if found["quoted"] is not None:
            if _is_given(found["quoted"]):
                yield Find(*found.span("quoted"), "password", "password said")
            return
        yield from _bare(found)
        return
    if found := _NEXT.match(text, at):
        yield from _bare(found)


def _bare(found: re.Match[str]) -> Iterator[Find]:
    value = found["bare"].rstrip(".,;:?)]}»")
    if len(value) >= 4 and _is_given(value) and mixed(value) and not _ALGORITHM.match(value):
        start = found.start("bare")
        yield Find(start, start + len(value), "password", "password said")


def _is_given(value: str) -> bool:
    folded = value.casefold().strip(" .,;:!?")
    return folded not in NO_VALUES and not re.match(r"[$%@]?[{<(\[]|\$\w|%\w+%|\*+$", value)
