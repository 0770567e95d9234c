"""What is known of a text before a night: its language, its worth, whether it is left out and why.

Only types and names, so that the service can hold what its child has found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.records import SpokenTurn

UNDETERMINED = "und"  # the language of a text too short to tell; see BCP 47
NEAR_DUPLICATE = "near_duplicate"  # the reason of a document that has a twin
BOILERPLATE = "boilerplate"  # the reason of a document whose lines stand in many others
SHARED_LINES = "shared_lines"  # the reason of lines that are cut, in documents that stay
NOT_JUDGED = "not_judged"  # the reason of a document that could not be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFacts:
    """One document's facts, among all documents of the vault."""

    document_id: int
    language: str  # a tag such as "en", or `UNDETERMINED`
    quality: float  # 0 to 1; the best comes first
    reason: str | None  # why it is left out, a name of `trainer.quality.REASONS`; None: wanted
    twin_of: int | None  # the document that it nearly repeats, which stays
    family: int  # smallest id among the documents that must stand on one side of held-out text


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenText:
    """One document, as much of it as is looked at."""

    document_id: int
    settled: bool  # was learned, or judges: it stays when another one repeats it
    modified_at: float
    text: str = field(repr=False)
    turns: tuple[SpokenTurn, ...] = field(default=(), repr=False)
    own: bool = True
    about: Mapping[str, str] = field(default_factory=dict, repr=False)
