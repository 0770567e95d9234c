"""The trainer's own types: token ids with a loss mask, and rows of them.

Arrays are numpy, int32 ids and boolean masks; tensors are made at the model's edge.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

GENERAL_KEY = -2  # of the base's own samples, which belong to no document
READING_KEY = -3  # of what others wrote, in rows that are kept close to the base
PADDING_KEY = -4  # of what fills a row's end, which predicts nothing

TokenIds = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


class Role(StrEnum):
    """Why an example is in the night."""

    NEW = "new"
    REPLAY = "replay"
    READING = "reading"  # what others wrote: general text and no voice to learn
    GENERAL = "general"  # the base's own samples
    CANARY = "canary"
    HELD_OUT = "held_out"
    STABLE = "stable"
    GENERAL_HELD_OUT = "general_held_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One speaker's turn. Only `own` turns are targets of the loss.

    `role` is where it stands in the chat template, `user` or `assistant`; None where it follows
    from whose turn it is (see `conversations.py`).
    """

    own: bool
    text: str = field(repr=False)
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """What curation is given: running text or turns, under the key of its document.

    `fresh` is the stretch that is new, in characters of a running text or in turns of a
    conversation, as start and end; without it all is new.
    """

    key: int
    role: Role
    text: str | None = field(default=None, repr=False)
    fresh: tuple[int, int] | None = None
    turns: tuple[Turn, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """One document as tokens, or a piece of a long one.

    `ids` and `loss_mask` are (tokens,); `loss_mask[i]` says whether token i is a target, to be
    predicted from the tokens before it. The first token never is. `borders` are the places, in
    order, where it may be cut if it must: the tokens with which a sentence begins.
    """

    key: int
    role: Role
    ids: TokenIds = field(repr=False)
    loss_mask: Mask = field(repr=False)
    borders: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.ids.shape != self.loss_mask.shape or self.ids.ndim != 1:
            raise ValueError("ids and loss_mask must be (tokens,) alike")

    @property
    def targets(self) -> int:
        return int(self.loss_mask[1:].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One packed row; every array is (row_tokens,).

    `position_ids` restart at 0 with each document, which is what keeps documents apart in
    attention. `target_mask[i]` says whether the token at i is predicted (from i - 1, in the same
    document). `keys[i]` is the document that token i belongs to.
    """

    ids: TokenIds = field(repr=False)
    position_ids: TokenIds = field(repr=False)
    target_mask: Mask = field(repr=False)
    keys: npt.NDArray[np.int64]

    @property
    def general(self) -> bool:
        """Whether it holds the base's own samples or what others wrote, and nothing else."""
        return bool((self.keys <= GENERAL_KEY).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that go through the model together: arrays of (rows, row_tokens)."""

    ids: TokenIds = field(repr=False)
    position_ids: TokenIds = field(repr=False)
    target_mask: Mask = field(repr=False)
    keys: npt.NDArray[np.int64]

    @property
    def tokens(self) -> int:
        return int(self.ids.size)

    @property
    def general(self) -> bool:
        """Whether it holds the base's own samples or what others wrote, and nothing else."""
        return bool((self.keys <= GENERAL_KEY).all())

    @property
    def targets(self) -> int:
        return int(self.target_mask.sum())
