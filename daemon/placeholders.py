"""The placeholders that redaction left in a text: where they stand and how many there are. Pure.

A text that held `[email 1]` before it was collected looks the same; nothing tells the two apart.
"""

from collections import Counter
from collections.abc import Iterable

from daemon.collecting.redaction_reading import PLACEHOLDER
from storage.records import Redaction


def placeholders(text: str) -> list[Redaction]:
    """In offsets of the stored text."""
    return [
        Redaction(kind=found[1], start=found.start(), end=found.end())
        for found in PLACEHOLDER.finditer(text)
    ]


def counted(redactions: Iterable[Redaction]) -> dict[str, int]:
    """How many of each kind, the most first."""
    return dict(Counter(one.kind for one in redactions).most_common())
