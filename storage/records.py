"""The types that cross folders: what one stage of the way of the data hands to the next.

Knows nothing of SQLite, keys, models or sockets; imports only the standard library.
Fields that hold a user's text or bytes made of it have `repr=False`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# --------------------------------------------------------------------------- text


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTurn:
    """What one speaker said: a stretch of a document's text, in characters.

    `own` turns are what is learned; the others are context. `speaker` is `me`, `assistant`, or a
    pseudonym: `A`, `B`, ...
    """

    own: bool
    speaker: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedDocument:
    """A file as it was read, before redaction. Made only by `daemon.collecting`.

    `turns` are in order and without overlaps; running text has none. Text that is not the user's
    `own` was written by others: it is no voice to learn. `about` holds what is known besides, such
    as a title.
    """

    source: str
    path: str = field(repr=False)
    modified_at: float  # seconds since the epoch, the file's mtime
    text: str = field(repr=False)
    turns: tuple[SpokenTurn, ...] = field(default=(), repr=False)
    own: bool = True
    about: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """One replaced stretch of text, in offsets of the original text (characters)."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedDocument:
    """Text that may be kept. Made only by `daemon.collecting.redaction`."""

    source: str
    path: str = field(repr=False)
    modified_at: float
    text: str = field(repr=False)
    redactions: tuple[Redaction, ...] = ()
    rules_version: int
    turns: tuple[SpokenTurn, ...] = field(default=(), repr=False)
    own: bool = True
    about: Mapping[str, str] = field(default_factory=dict, repr=False)


class DocumentState(StrEnum):
    """Where a version of an item stands; the only fact about it that is kept in clear."""

    NEW = "new"  # kept, not yet learned
    HELD_OUT = "held_out"  # judges this night, is trained on in the next ones
    STABLE = "stable"  # judges every night, never trained on
    LEARNED = "learned"
    SUPERSEDED = "superseded"  # a newer version of the same item exists


@dataclass(slots=True, kw_only=True)
class StoredDocument:
    """One version of one item, opened.

    Not frozen: that would double the time it takes to make one, a tenth of opening a document.
    """

    document_id: int
    item_id: int
    version: int  # 1, 2, ... per item
    state: DocumentState
    source: str
    path: str = field(repr=False)
    modified_at: float
    collected_day: str  # ISO date
    text: str = field(repr=False)
    turns: tuple[SpokenTurn, ...] = field(default=(), repr=False)
    own: bool = True
    about: Mapping[str, str] = field(default_factory=dict, repr=False)


# What a source takes unless it is told otherwise: names of files that people keep text in.
TEXT_FILES = (
    *("*.txt", "*.md", "*.markdown", "*.rst", "*.org", "*.tex", "*.html", "*.htm"),
    *("*.docx", "*.odt", "*.pdf", "*.epub", "*.ipynb"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What the user allowed to be collected, and how. `include` and `exclude` are globs.

    `own` says whether it is mostly the user's own writing, `me` which addresses or names in it are
    the user's.
    """

    name: str
    kind: str  # of `daemon.collecting.kinds`
    path: str = field(repr=False)
    include: tuple[str, ...] = TEXT_FILES
    exclude: tuple[str, ...] = ()
    paused: bool = False
    retention_days: int | None = None  # files that were changed longer ago are not kept
    own: bool = True
    me: tuple[str, ...] = field(default=(), repr=False)
    keep_deleted: bool = True  # text stays when its file goes


# --------------------------------------------------------------------------- adapters


def sha256_hex(data: bytes | bytearray | memoryview) -> str:
    """Digest that names an adapter."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateAdapter:
    """What a night made and nobody judged yet: a safetensors file of LoRA weights as bytes."""

    sha256: str
    weights: bytes = field(repr=False)
    base: str  # identity of the base it belongs to
    parent: str | None  # digest of the adapter it started from
    seen_items: frozenset[int]  # every item it was trained or judged on, its parent's included
    learned: frozenset[int] = frozenset()  # versions it was trained on, its parent's included


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the gate saw. Losses are nats per token, means over documents' tokens."""

    held_out_loss_before: float
    held_out_loss_after: float
    held_out_gain_low: float  # 95 % interval of the relative fall, paired bootstrap
    held_out_gain_high: float
    stable_loss_before: float | None
    stable_loss_after: float | None
    general_loss_base: float
    general_loss_before: float
    general_loss_after: float
    canaries_planted: int
    canaries_extracted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Admission of exactly the bytes with this digest. Made only by `trainer.gate`."""

    sha256: str
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The gate said no: one reason code and one sentence without the user's text."""

    sha256: str
    reason: str
    sentence: str
    measured: Measured


class AdapterStatus(StrEnum):
    CURRENT = "current"
    AVAILABLE = "available"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAdapter:
    """An adapter on the shelf. Made only by `storage.adapter_shelf`."""

    sha256: str
    base: str
    parent: str | None
    trained_at: float  # seconds since the epoch
    status: AdapterStatus
    seen_items: frozenset[int]
    measured: Measured
    pinned: bool = False  # an ancestor to go back to; no quota takes its weights
    learned: frozenset[int] = frozenset()  # document ids
