"""What is known of a source's collecting, as the command line shows it."""

from dataclasses import dataclass, field
from enum import StrEnum

from daemon.collecting.skipping import SkipReason
from daemon.collecting.watching import WhyPolled


class SourceState(StrEnum):
    WATCHING = "watching"
    MISSING = "missing"  # the folder is gone; what it gave is kept, and it may come back
    PAUSED = "paused"
    QUOTA = "quota"  # the vault may not grow; goes on when there is room


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """`last_error` is a sentence without names of files."""

    name: str
    kind: str
    path: str = field(repr=False)
    state: SourceState
    documents: int  # in the vault, also of files that vanished since
    last_scan_at: float | None  # seconds since the epoch
    skipped: dict[SkipReason, int]
    last_error: str | None
    watched: bool  # changes are noticed at once
    why_polled: WhyPolled | None  # where they are not, though the source is followed
    scan: "ScanProgress | None"  # of everything, while there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanProgress:
    """How far a scan of one source is; totals are None until they are known."""

    source: str
    files: int
    bytes: int
    total_files: int | None
    total_bytes: int | None
    begun_at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCounts:
    """What a scan of one source did."""

    files: int = 0  # wanted, as the source's globs say
    unchanged: int = 0  # known from before, not read
    stored: int = 0  # new documents and new versions
    duplicates: int = 0
    forgotten: int = 0  # the user's word stands: not kept
    skipped: int = 0
    bytes: int = 0  # read
    moved: int = 0  # documents whose file is at another place now
