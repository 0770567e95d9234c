"""What an extractor is told of a file, and what it gives: the words between service and child.

Knows nothing of processes. A format is one function, `extract(file: BinaryIO, facts: Facts) ->
Iterator[Extracted]`, named in `formats.py`; it raises `errors.Unreadable` where a file gives
nothing, and gives documents one after the other where there are many, so that memory stays flat.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.records import SpokenTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a file before it is read.

    `most_bytes` is of the UTF-8 of one document; the child refuses a larger one as `too_large`.
    """

    size: int
    name: str = field(repr=False)  # of the file, without its folder
    me: tuple[str, ...] = field(default=(), repr=False)  # the user's own addresses or names
    own: bool = True  # mostly the user's own writing
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """One document. `turns` are in order, in characters of `text`, and do not overlap.

    `path_suffix` tells the documents of one file apart and stays the same when the file grows; the
    document's path is `file#suffix`, or that of the file where it is empty. `modified_at` is None
    where the document has no time of its own, and the file's is taken.
    """

    path_suffix: str = field(default="", repr=False)
    text: str = field(repr=False)
    turns: tuple[SpokenTurn, ...] = field(default=(), repr=False)
    modified_at: float | None = None  # seconds since the epoch
    about: Mapping[str, str] = field(default_factory=dict, repr=False)
