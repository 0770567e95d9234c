"""Which texts teach nothing, and of the others which teach most: simple rules with names.

Each rule is one function, and its name is the reason that the user is shown. Pure, without
libraries, so that the command line can ask as well. When in doubt a text stays: a page of prose
with some code, a table or a trace in it is still somebody's page.
"""

import math
from collections.abc import Callable

from trainer.curation_facts import BOILERPLATE, NEAR_DUPLICATE, NOT_JUDGED, SHARED_LINES
from trainer.judged_text import JudgedText
from trainer.quality_encoded import encoded, garbled, minified
from trainer.quality_machine import generated_mail, lock_file, log, settings, stack_trace
from trainer.quality_structure import link_list, markup, numbers, structured_data, table

LEAST_WORDS = 8
LEAST_LINES_TO_REPEAT = 10
DIFFERENT_LINES = 0.3
DIFFERENT_WORDS = 0.05
GOOD_LENGTH = 400  # words from which on more of them add nothing to the score
VARIETY_WORDS = 200
OWN = 0.5
BEST_OF_OTHERS = 0.49
SENTENCE_WORDS = 4
LONG_LINE_WORDS = 12
SENTENCE_ENDS = ".!?…。！？।؟۔:;\"'”’»)」』"

# Phrases that stand in licences and terms, and together nowhere else.
LEGAL = (
    "permission is hereby granted", "redistribution and use in source and binary",
    "without warranty of any kind", "fitness for a particular purpose", "merchantability",
    "in no event shall", "the software is provided", "apache license, version",
    "gnu general public license", "express or implied", "liable for any",
    "terms and conditions", "all rights reserved", "unless required by applicable law",
    "by using this site", "governed by the laws of", "indemnify and hold harmless",
    "subject to the following conditions", "third-party cookies", "this agreement",
    "derivative works", "terms of this license", "copyright notice", "hereby grants",
)  # fmt: skip
LEGAL_PHRASES = 3
MANY_LEGAL_PHRASES = 6  # as long licences have them
WORDS_PER_LEGAL_PHRASE = 150
WORDS_PER_PHRASE_OF_MANY = 400


# --------------------------------------------------------------------------- rules


def rated_bad(text: JudgedText) -> bool:
    """The user said so."""
    return text.rating == "bad"


def nothing_own(text: JudgedText) -> bool:
    """A conversation of others, in what is said to be the user's own."""
    return text.own and text.spoken and not text.own_text.strip()


def too_short(text: JudgedText) -> bool:
    """Fewer words of the user's than a sentence or two."""
    return text.length < LEAST_WORDS


def repeated_lines(text: JudgedText) -> bool:
    """Mostly the same few lines, or words, again and again; a refrain is none."""
    lines = [line.strip().casefold() for line in text.lines]
    if len(lines) >= LEAST_LINES_TO_REPEAT and len(set(lines)) <= DIFFERENT_LINES * len(lines):
        return True
    some = text.first_own_words[:VARIETY_WORDS]
    return len(some) == VARIETY_WORDS and len(set(some)) <= DIFFERENT_WORDS * len(some)


def licence(text: JudgedText) -> bool:
    """Licences and terms of use, which lawyers wrote for everybody."""
    folded = " ".join(text.text.casefold().split())
    phrases = sum(phrase in folded for phrase in LEGAL)
    if phrases < LEGAL_PHRASES:
        return False
    many = phrases >= MANY_LEGAL_PHRASES
    room = WORDS_PER_PHRASE_OF_MANY if many else WORDS_PER_LEGAL_PHRASE
    return folded.count(" ") < phrases * room


Rule = Callable[[JudgedText], bool]

# In this order: what says most about a text comes first.
RULES: tuple[Rule, ...] = (
    rated_bad,
    nothing_own,
    garbled,
    lock_file,
    encoded,
    log,
    stack_trace,
    structured_data,
    markup,
    table,
    settings,
    minified,
    link_list,
    numbers,
    generated_mail,
    licence,
    repeated_lines,
    too_short,
)

# What the user is shown, for each reason.
REASONS: dict[str, str] = {
    "rated_bad": "you rated it bad",
    "nothing_own": "nothing in it is yours",
    "garbled": "its letters are broken",
    "lock_file": "a lock file or a list of checksums",
    "encoded": "encoded bytes",
    "log": "a log",
    "stack_trace": "a stack trace",
    "structured_data": "data for programs",
    "markup": "markup with little text",
    "table": "a table of data",
    "settings": "settings of a program",
    "minified": "code for machines",
    "link_list": "a list of links",
    "numbers": "mostly numbers",
    "generated_mail": "mail that a program sent",
    "licence": "a licence or terms",
    "repeated_lines": "mostly the same lines again",
    "too_short": "too short to teach",
    BOILERPLATE: "the same lines stand in many others",
    SHARED_LINES: "lines that very many texts have are cut from them, such as letterheads",
    NEAR_DUPLICATE: "nearly the same as another",
    NOT_JUDGED: "it could not be looked at",
}


def reason_against(text: JudgedText) -> str | None:
    """The name of the first rule that leaves the text out; None: it stays."""
    return next((rule.__name__ for rule in RULES if rule(text)), None)


# --------------------------------------------------------------------------- the best first


def quality(text: JudgedText) -> float:
    """What a text is worth to learn from, 0 to 1.

    The user's own is at `OWN` and above, and what others wrote below, whatever it is. Within that:
    sentences, different words and length; in a conversation the user's share of it; and what the
    user called good is above the rest.
    """
    worth = 0.4 * _sentences(text) + 0.3 * _variety(text) + 0.3 * _length(text)
    if text.spoken:
        worth *= 0.5 + 0.5 * min(1.0, 2 * text.own_share)
    if text.rating == "good":
        worth = 0.9 + 0.1 * worth
    return OWN + (1 - OWN) * worth if text.own else BEST_OF_OTHERS * worth


def without_shared(worth: float, shared: float) -> float:
    """The quality of a text of which this share stands in many others."""
    floor = OWN if worth >= OWN else 0.0
    return floor + (worth - floor) * (1 - shared)


def _sentences(text: JudgedText) -> float:
    """Share of the letters that stand in sentences; a spoken line need not end in a full stop."""
    whole = told = 0.0
    for line in text.own_text.splitlines():
        bare = line.strip()
        whole += len(bare)
        count = bare.count(" ") + 1
        unspaced = count < SENTENCE_WORDS and len(bare) > SENTENCE_WORDS and bare[0] > "\u0e00"
        if count >= LONG_LINE_WORDS or (
            (count >= SENTENCE_WORDS or unspaced) and bare[-1] in SENTENCE_ENDS
        ):
            told += len(bare)
        elif text.spoken and count >= SENTENCE_WORDS:
            told += 0.7 * len(bare)
    return told / whole if whole else 0.0


def _variety(text: JudgedText) -> float:
    """Different words among the first ones: 0.2 says nothing, prose has 0.6 and more."""
    some = text.first_own_words[:VARIETY_WORDS]
    return min(1.0, max(0.0, (len(set(some)) / max(1, len(some)) - 0.2) / 0.4))


def _length(text: JudgedText) -> float:
    if text.length <= LEAST_WORDS:
        return 0.0
    return min(1.0, math.log(text.length / LEAST_WORDS) / math.log(GOOD_LENGTH / LEAST_WORDS))
