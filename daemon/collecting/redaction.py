"""Takes secrets out of a text before it is kept. The only maker of `RedactedDocument`s. Pure.

A secret is replaced by a placeholder that still reads as a word, `[email 1]`: within a document
the same value has the same number, so that who wrote to whom stays learnable, in what is known
about it too. Offsets are those of the text as it was collected. What was redacted before stays as
it is, and so does what looks like it: redacting twice is redacting once.
"""

from collections.abc import Iterable, Mapping, Sequence

from daemon.collecting.redaction_reading import MASK, PLACEHOLDER, Find, Reading, Rule
from daemon.collecting.redaction_rules import RULES, RULES_VERSION, SAME
from daemon.collecting.redaction_turns import apart, back, moved, stretches, within
from storage.records import (
    CollectedDocument,
    RedactedDocument,
    Redaction,
    SpokenTurn,
    StoredDocument,
)

MOST_PASSES = 6  # what is left may only now be a secret: beside a mask it stands by itself


def redact(document: CollectedDocument, rules: Sequence[Rule] = RULES) -> RedactedDocument:
    """The same document without what the rules find.

    Raises:
        ValueError: its turns are not in order, overlap or lie outside of its text.
    """
    found = tuple(find_secrets(document.text, rules, document.turns))
    text, turns, about = document.text, document.turns, document.about
    if found or about:
        numbers = _Numbers((text, *about.values()))
        words = [numbers.placeholder(text, one) for one in found]
        about = _about(about, rules, numbers)
        grown = ((f.end, len(word) - f.end + f.start) for f, word in zip(found, words))
        text, turns = _replaced(text, found, words), moved(turns, grown)
    return RedactedDocument(
        source=document.source,
        path=document.path,
        modified_at=document.modified_at,
        text=text,
        redactions=found,
        rules_version=RULES_VERSION,
        turns=turns,
        own=document.own,
        about=about,
    )


def redact_again(document: StoredDocument, rules: Sequence[Rule] = RULES) -> RedactedDocument:
    """A document that is kept already, under the rules of today.

    Its redactions are those of this time, in offsets of the text as it was kept.
    """
    return redact(
        CollectedDocument(
            source=document.source,
            path=document.path,
            modified_at=document.modified_at,
            text=document.text,
            turns=document.turns,
            own=document.own,
            about=document.about,
        ),
        rules,
    )


def find_secrets(
    text: str, rules: Sequence[Rule] = RULES, turns: Sequence[SpokenTurn] = ()
) -> list[Redaction]:
    """All that the rules find, in order, without overlaps, and none across a turn's border.

    Where two overlap, what the later one has beyond the earlier is kept as a find of its own, so
    that nothing that any rule found stays in the text. The text is looked at as a whole, since a
    key may be sent in two messages, and then what is left of each turn by itself.
    """
    found = find_named(text, rules, turns)
    return [Redaction(kind=one.kind, start=one.start, end=one.end) for one in found]


def find_named(
    text: str, rules: Sequence[Rule] = RULES, turns: Sequence[SpokenTurn] = ()
) -> list[Find]:
    """The same, with the name of the rule that found each."""
    if not turns:
        return sorted(_found(text, rules))
    pieces = stretches(turns, len(text))
    found = list(within(sorted(_found(text, rules)), pieces, text))
    walled, places = apart(_masked(text, found), pieces)
    again = within(sorted(_found(walled, rules)), places, walled)
    return sorted([*found, *back(again, places, pieces)])


def _found(text: str, rules: Sequence[Rule]) -> list[Find]:
    found: list[Find] = []
    for _ in range(MOST_PASSES):
        new = _found_once(text, rules)
        if not new:
            break
        found += new
        text = _masked(text, new)
    return found


def _found_once(text: str, rules: Sequence[Rule]) -> list[Find]:
    reading = Reading.of(text)
    spans = [find for rule in rules for find in rule(reading)]
    spans.sort(key=lambda find: (find.start, -find.end))  # stable: the earlier rule wins
    free, apart = 0, []
    for find in spans:
        start = max(find.start, free)
        if find.end > start:
            apart += _around_masks(reading.text, find._replace(start=start))
            free = find.end
    return apart


def _around_masks(text: str, find: Find) -> list[Find]:
    """The parts of a find that were not redacted before."""
    if MASK not in text[find.start : find.end]:
        return [find]
    parts, at = [], find.start
    for piece in text[find.start : find.end].split(MASK):
        if piece.strip():
            parts.append(find._replace(start=at, end=at + len(piece)))
        at += len(piece) + 1
    return parts


def _masked(text: str, found: Sequence[Find]) -> str:
    pieces: list[str] = []
    at = 0
    for find in found:
        pieces += text[at : find.start], MASK * (find.end - find.start)
        at = find.end
    return "".join([*pieces, text[at:]])


def _replaced(text: str, found: Sequence[Redaction], words: Iterable[str]) -> str:
    pieces: list[str] = []
    at = 0
    for span, word in zip(found, words):
        pieces += text[at : span.start], word
        at = span.end
    pieces.append(text[at:])
    return "".join(pieces)


def _about(about: Mapping[str, str], rules: Sequence[Rule], numbers: "_Numbers") -> dict[str, str]:
    kept = {}
    for name, value in about.items():
        found = find_secrets(value, rules)
        words = [numbers.placeholder(value, one) for one in found]
        kept[name] = _replaced(value, found, words) if found else value
    return kept


class _Numbers:
    """Which number stands for which value, in all texts of one document.

    Those of placeholders that stand in the texts already are left alone; new ones go on from them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._begin: dict[str, int] = {}
        self._values: dict[str, dict[str, int]] = {}
        for text in texts:
            for kind, number in PLACEHOLDER.findall(text) if "[" in text else ():
                self._begin[kind] = max(self._begin.get(kind, 0), int(number))

    def placeholder(self, text: str, find: Redaction) -> str:
        value = SAME[find.kind](text[find.start : find.end])
        of_kind = self._values.setdefault(find.kind, {})
        number = of_kind.setdefault(value, self._begin.get(find.kind, 0) + len(of_kind) + 1)
        return f"[{find.kind} {number}]"
