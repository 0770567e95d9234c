"""Rules for text that is not read as text: encoded bytes, minified code, broken letters."""

import re

from trainer.judged_text import JudgedText

RUN_LETTERS = 48
_RUN = re.compile(rf"[A-Za-z0-9+/_=-]{{{RUN_LETTERS},}}")
_HEX_DUMP = re.compile(r"^\s*(?:0x)?[0-9a-fA-F]{4,16}:?\s+(?:[0-9a-fA-F]{2,8}\s+){6,}")
_HEX_PAIRS = re.compile(r"^\s*(?:(?:0x)?[0-9a-fA-F]{2}[\s,:]+){8,}")
_HEX_LETTER = re.compile(r"[a-fA-F]")
ENCODED_SHARE = 0.5

MACHINE_LINE = 400  # characters
MINIFIED_SHARE = 0.5
FEW_SPACES = 0.12
CODE_MARKS = frozenset("{}()[];=<>,:\"'&|!+*/?$.")
CODE_SHARE = 0.15

# Lost letters, control characters, and the private letters of broken fonts.
_BROKEN = re.compile("[\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]")
BROKEN_SHARE = 0.02
LETTER_SPACED = 0.6
LETTERS_PER_PART = 3.2  # with the space; more where most letters stand in words
LEAST_SPACED = 40


def encoded(text: JudgedText) -> bool:
    """Mostly base64 or hexadecimal digits."""
    long = (part for part in text.parts if len(part) >= RUN_LETTERS)
    runs = sum(len(run) for part in long for run in _RUN.findall(part) if _is_mixed(run))
    dumped = sum(
        len(start)
        for start in text.starts
        if _HEX_LETTER.search(start) and (_HEX_DUMP.match(start) or _HEX_PAIRS.match(start))
    )
    shown = sum(map(len, text.starts)) if dumped else 0
    return runs >= ENCODED_SHARE * max(1, len(text.text)) or (0 < shown <= dumped / ENCODED_SHARE)


def minified(text: JudgedText) -> bool:
    """Mostly lines as only programs write them: long, full of marks, without spaces."""
    long = [line for line in text.lines if len(line) >= MACHINE_LINE]
    machine = 0
    for line in long:
        marks = sum(map(CODE_MARKS.__contains__, line))
        spaces = line.count(" ") + line.count("\u3000")
        if spaces < FEW_SPACES * len(line) and marks >= CODE_SHARE * len(line):
            machine += len(line)
    return machine >= MINIFIED_SHARE * max(1, len(text.text))


def garbled(text: JudgedText) -> bool:
    """Letters that were lost on the way, or that stand alone as bad scans have them."""
    parts = text.parts
    broken = len(_BROKEN.findall(text.text))
    if broken and broken >= BROKEN_SHARE * sum(map(len, parts)):
        return True
    if len(parts) < LEAST_SPACED or len(text.text) > LETTERS_PER_PART * len(parts):
        return False
    alone = sum(len(part) == 1 and part.isascii() and part.isalpha() for part in parts)
    return alone >= LETTER_SPACED * len(parts)


def _is_mixed(run: str) -> bool:
    """Not a rule of dashes, nor a long word."""
    digits = any(letter.isdigit() for letter in run)
    return digits and (
        any(letter.isupper() for letter in run) or all(c in "0123456789abcdef" for c in run)
    )
