"""Takes secrets out of a text before it is kept. The only maker of `RedactedDocument`s. Pure.

A secret is replaced by a placeholder that still reads as a word, `[email 1]`: within a document
the same value has the same number, so that who wrote to whom stays learnable. Offsets are those of
the text as it was collected. What was redacted before stays as it is, and so does what looks like
it: redacting twice is redacting once.
"""

from collections.abc import Sequence

from daemon.collecting.redaction_reading import MASK, PLACEHOLDER, Find, Reading, Rule
from daemon.collecting.redaction_rules import RULES, RULES_VERSION, SAME
from storage.records import CollectedDocument, RedactedDocument, Redaction, StoredDocument

MOST_PASSES = 6  # what is left may only now be a secret: beside a mask it stands by itself


def redact(document: CollectedDocument, rules: Sequence[Rule] = RULES) -> RedactedDocument:
    """The same document without what the rules find."""
    found = tuple(find_secrets(document.text, rules))
    return RedactedDocument(
        source=document.source,
        path=document.path,
        modified_at=document.modified_at,
        text=_replaced(document.text, found) if found else document.text,
        redactions=found,
        rules_version=RULES_VERSION,
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
        ),
        rules,
    )


def find_secrets(text: str, rules: Sequence[Rule] = RULES) -> list[Redaction]:
    """All that the rules find, in order, without overlaps.

    Where two overlap, what the later one has beyond the earlier is kept as a find of its own, so
    that nothing that any rule found stays in the text.
    """
    return [
        Redaction(kind=one.kind, start=one.start, end=one.end) for one in find_named(text, rules)
    ]


def find_named(text: str, rules: Sequence[Rule] = RULES) -> list[Find]:
    """The same, with the name of the rule that found each."""
    found: list[Find] = []
    for _ in range(MOST_PASSES):
        new = _found_once(text, rules)
        if not new:
            break
        found += new
        text = _masked(text, new)
    return sorted(found)


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


def _replaced(text: str, found: Sequence[Redaction]) -> str:
    numbers: dict[str, dict[str, int]] = {}
    begin = _highest_numbers(text)
    pieces: list[str] = []
    at = 0
    for span in found:
        value = SAME[span.kind](text[span.start : span.end])
        of_kind = numbers.setdefault(span.kind, {})
        number = of_kind.setdefault(value, begin.get(span.kind, 0) + len(of_kind) + 1)
        pieces += text[at : span.start], f"[{span.kind} {number}]"
        at = span.end
    pieces.append(text[at:])
    return "".join(pieces)


def _highest_numbers(text: str) -> dict[str, int]:
    """Of the placeholders that stand in a text already; new ones are counted on from there."""
    highest: dict[str, int] = {}
    for kind, number in PLACEHOLDER.findall(text) if "[" in text else ():
        highest[kind] = max(highest.get(kind, 0), int(number))
    return highest
