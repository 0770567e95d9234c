"""Takes secrets out of a text before it is kept. The only maker of `RedactedDocument`s. Pure.

A secret is replaced by a placeholder that still reads as a word, `[email 1]`: within a document
the same value has the same number, so that who wrote to whom stays learnable. Offsets are those of
the text as it was collected.
"""

from collections.abc import Iterator, Sequence

from daemon.collecting.redaction_rules import RULES, RULES_VERSION, Rule
from storage.records import CollectedDocument, RedactedDocument, Redaction


def redact(document: CollectedDocument, rules: Sequence[Rule] = RULES) -> RedactedDocument:
    """The same document without what the rules find."""
    found = tuple(find_secrets(document.text, rules))
    return RedactedDocument(
        source=document.source,
        path=document.path,
        modified_at=document.modified_at,
        text=_replaced(document.text, found, rules) if found else document.text,
        redactions=found,
        rules_version=RULES_VERSION,
    )


def find_secrets(text: str, rules: Sequence[Rule] = RULES) -> Iterator[Redaction]:
    """All that the rules find, in order, without overlaps.

    Where two overlap, what the later one has beyond the earlier is kept as a find of its own, so
    that nothing that any rule found stays in the text.
    """
    spans = [
        Redaction(kind=rule.kind, start=start, end=end)
        for rule in rules
        for start, end in rule.find(text)
    ]
    spans.sort(key=lambda span: (span.start, -span.end))
    free = 0
    for span in spans:
        if span.end <= free:
            continue
        start = max(span.start, free)
        yield span if start == span.start else Redaction(kind=span.kind, start=start, end=span.end)
        free = span.end


def _replaced(text: str, found: Sequence[Redaction], rules: Sequence[Rule]) -> str:
    same = {rule.kind: rule.same for rule in rules}
    numbers: dict[str, dict[str, int]] = {}
    pieces: list[str] = []
    at = 0
    for span in found:
        value = same[span.kind](text[span.start : span.end])
        of_kind = numbers.setdefault(span.kind, {})
        number = of_kind.setdefault(value, len(of_kind) + 1)
        pieces += text[at : span.start], f"[{span.kind} {number}]"
        at = span.end
    pieces.append(text[at:])
    return "".join(pieces)
