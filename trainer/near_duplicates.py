"""Copies of one text: shuffled, lightly edited, saved twice. Which one stays, and for which others.

MinHash (Broder 1997) over runs of three words, looked up by bands. In memory only: signatures are
made of the user's text.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rensa import RMinHash, RMinHashLSH

from trainer.shingles import shingles

SHINGLE_WORDS = 3
PERMUTATIONS = 120
BANDS = 40  # of three: a pair that shares half of its runs is always looked at (995 of 1,000)
ALIKE = 0.4  # Jaccard; a copy with every 20th word changed is at 0.75, with every 10th at 0.57
COVERED = 0.6  # of what is left out stands in what stays: a text that grew by half is none
SEED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What is kept of a text to compare it with others."""

    minhash: RMinHash = field(repr=False)
    runs: int  # different runs of words

    def state(self) -> bytes:
        """For `signature_of`."""
        state: bytes = self.minhash.__getstate__()
        return state


def signature(words: list[str]) -> Signature:
    """The signature of a text's folded words."""
    runs = set(shingles(words, SHINGLE_WORDS))
    minhash = RMinHash(PERMUTATIONS, SEED)
    minhash.update(list(runs))  # `from_token_sets` is for many, and starts threads
    return Signature(minhash=minhash, runs=len(runs))


def signature_of(state: bytes, runs: int) -> Signature:
    """The signature that had this state. Raises ValueError."""
    minhash = RMinHash(PERMUTATIONS, SEED)
    minhash.__setstate__(state)
    if len(minhash.digest()) != PERMUTATIONS:
        raise ValueError(PERMUTATIONS)
    return Signature(minhash=minhash, runs=runs)


def is_copy(text: Signature, of: Signature) -> bool:
    """Whether nearly all that a text says stands in the other, which is about as long."""
    alike: float = text.minhash.jaccard(of.minhash)
    if alike < ALIKE or not text.runs:
        return False
    shared = alike / (1 + alike) * (text.runs + of.runs)
    return shared >= COVERED * text.runs


def twins(documents: Iterable[tuple[int, Signature]]) -> dict[int, int]:
    """Which document repeats which: what is left out -> what stays.

    Args:
        documents: the one to be kept comes before those that are left out for it. What stays is
            never itself left out, so a chain of small edits does not end far from its beginning.
    """
    index = RMinHashLSH(ALIKE, PERMUTATIONS, BANDS)
    kept: dict[int, Signature] = {}
    found: dict[int, int] = {}
    for document_id, own in documents:
        near = sorted(index.query(own.minhash))
        twin = max(
            (other for other in near if is_copy(own, kept[other])),
            key=lambda other: own.minhash.jaccard(kept[other].minhash),
            default=None,
        )
        if twin is not None:
            found[document_id] = twin
        elif own.runs:
            index.insert(document_id, own.minhash)
            kept[document_id] = own
    return found
