"""Copies of one text: shuffled, lightly edited, saved twice. Which one stays, and for which others.

MinHash (Broder 1997) over runs of three words, looked up by bands. Nearly all texts share no band
with any other; that is found for all of them at once, and only the rest are looked up. In memory
only: signatures are made of the user's text.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from trainer.shingles import shingles

Digest = npt.NDArray[np.uint32]

SHINGLE_WORDS = 3
PERMUTATIONS = 120
BANDS = 40  # of three: a pair that shares half of its runs is always looked at (995 of 1,000)
ALIKE = 0.4  # Jaccard; a copy with every 20th word changed is at 0.75, with every 10th at 0.57
COVERED = 0.6  # of what is left out stands in what stays: a text that grew by half is none
SEED = 20
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What is kept of a text to compare it with others."""

    digest: Digest = field(repr=False)  # (PERMUTATIONS,)
    runs: int  # different runs of words

    def state(self) -> bytes:
        """For `signature_of`."""
        return self.digest.tobytes()

    def alike(self, other: "Signature") -> float:
        """How much of both stands in both (Jaccard), as far as the sample tells."""
        return int(np.count_nonzero(self.digest == other.digest)) / PERMUTATIONS

    def bands(self) -> list[tuple[int, bytes]]:
        state, width = self.state(), self.digest.nbytes // BANDS
        return [(band, state[band * width : (band + 1) * width]) for band in range(BANDS)]


def signature(words: list[str]) -> Signature:
    """The signature of a text's folded words."""
    runs = set(shingles(words, SHINGLE_WORDS))
    minhash = RMinHash(PERMUTATIONS, SEED)
    minhash.update(list(runs))  # `from_token_sets` is for many, and starts threads
    return Signature(digest=np.asarray(minhash.digest(), dtype=np.uint32), runs=len(runs))


def signature_of(state: bytes, runs: int) -> Signature:
    """The signature that had this state. Raises ValueError."""
    digest = np.frombuffer(state, dtype=np.uint32)
    if len(digest) != PERMUTATIONS:
        raise ValueError(PERMUTATIONS)
    return Signature(digest=digest, runs=runs)


def is_copy(text: Signature, of: Signature) -> bool:
    """Whether nearly all that a text says stands in the other, which is about as long."""
    alike = text.alike(of)
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
    compared = [one for one in documents if one[1].runs]
    index: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    kept: dict[int, Signature] = {}
    found: dict[int, int] = {}
    for place in np.flatnonzero(sharing_a_band([own for _, own in compared])).tolist():
        document_id, own = compared[place]
        bands = own.bands()
        near = sorted({other for band in bands for other in index[band]})
        twin = max(
            (other for other in near if is_copy(own, kept[other])),
            key=lambda other: own.alike(kept[other]),
            default=None,
        )
        if twin is not None:
            found[document_id] = twin
        else:
            kept[document_id] = own
            for band in bands:
                index[band].append(document_id)
    return found


def sharing_a_band(signatures: Sequence[Signature]) -> npt.NDArray[np.bool_]:
    """Which of them share a band with another one; one in very many may only seem to."""
    near = np.zeros(len(signatures), dtype=np.bool_)
    if not len(near):
        return near
    rows = np.stack([each.digest for each in signatures])  # (texts, PERMUTATIONS)
    bits = np.uint64(len(rows).bit_length())  # of a key, which give way to the text's place
    places = np.arange(len(rows), dtype=np.uint64)
    for band in np.split(rows, BANDS, axis=1):
        keys = np.zeros(len(rows), dtype=np.uint64)
        for column in band.T:
            keys = (keys ^ column) * _MIX
            keys ^= keys >> np.uint64(29)
        keys = np.sort(keys >> bits << bits | places)
        same = np.flatnonzero(np.diff(keys >> bits) == 0)
        alike = keys[np.concatenate((same, same + 1))] & ((np.uint64(1) << bits) - np.uint64(1))
        near[alike.astype(np.int64)] = True
    return near
