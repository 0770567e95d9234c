"""What documents have in common: lines that stand in many of them, and families.

A family stands on one side of held-out text and training: a mail and the one that quotes it, a
diary and its older copy. Compared are runs of eight words, a sample of them that two documents draw
alike (FracMinHash), so that a short text is found in a long one. Lines that stand in many
documents make no family. In memory only.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from trainer.shared_lines import LINE_WORDS
from trainer.shingles import shingles, words

Hashes = npt.NDArray[np.uint32]  # half of what the hash gives: three shared runs are no accident
Rows = npt.NDArray[np.int64]

MOST_WORDS = 2_000_000
RUN_WORDS = 8
RUNS = 512  # of a document that are kept, but at least this share and at most that:
LEAST_SHARE, MOST_SHARE = 1 / 32, 1 / 4
SHARED_RUNS = 3  # that two have to share, and this share of the one with fewer:
OF_SMALLER = 0.25
COMMON = 16  # a run in more documents is a phrase

LINES = 1000  # of a document that are looked at
MANY_LEAST, MANY_SHARE, MANY_MOST = 6, 0.01, 20  # documents that make a line boilerplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is kept of a text to find what it shares with others. The hashes are sorted."""

    runs: Hashes = field(repr=False)  # of the sample
    run_lines: Hashes = field(repr=False)  # (2, runs): the lines that each begins and ends in
    share: float  # of the text's runs that the sample was drawn from
    lines: Hashes = field(repr=False)
    line_characters: Rows = field(repr=False)
    characters: int


def outline(lines: Sequence[Sequence[str]]) -> Outline:
    """The outline of a text.

    Args:
        lines: the folded words of each line.
    """
    kept = [line for line in lines if line]
    keys = _hashed([" ".join(line) for line in kept])
    sizes = np.asarray([sum(map(len, line)) + len(line) for line in kept], dtype=np.int64)
    starts = np.cumsum([0, *(len(line) for line in kept)])[:-1]
    runs = _hashed(shingles(list(chain.from_iterable(kept)), RUN_WORDS))
    share = min(MOST_SHARE, max(LEAST_SHARE, RUNS / max(1, len(runs))))
    at = np.flatnonzero(runs < _limit(share))
    sample, first = np.unique(runs[at], return_index=True)
    at = at[first]
    counted = np.asarray([len(line) >= LINE_WORDS for line in kept], dtype=np.bool_)
    found, where = np.unique(keys[counted][:LINES], return_index=True)
    return Outline(
        runs=sample,
        run_lines=keys[_line_of(np.stack((at, at + RUN_WORDS - 1)), starts)],
        share=share,
        lines=found,
        line_characters=sizes[counted][:LINES][where],
        characters=int(sizes.sum()),
    )


def _line_of(words: Rows, starts: Rows) -> Rows:
    """The line that each of these words stands in; starts: (lines,)."""
    return np.searchsorted(starts, words, side="right") - 1


def words_by_line(text: str) -> list[list[str]]:
    """The folded words of each line; of an endless text those of its beginning."""
    lines, count = [], 0
    for line in text.splitlines():
        lines.append(words(line))
        count += len(lines[-1])
        if count > MOST_WORDS:
            break
    return lines


def boilerplate(outlines: Collection[Outline]) -> Hashes:
    """The lines that stand in many documents, sorted."""
    if not outlines:
        return np.empty(0, dtype=np.uint32)
    many = min(MANY_MOST, max(MANY_LEAST, round(MANY_SHARE * len(outlines))))
    lines, documents = np.unique(
        np.concatenate([outline.lines for outline in outlines]), return_counts=True
    )
    return lines[documents >= many]


def shared_shares(outlines: Collection[Outline], common: Hashes) -> list[float]:
    """Share of each text that is boilerplate, repeated lines counted once."""
    if not outlines:
        return []
    shared = _among(np.concatenate([each.lines for each in outlines]), common)
    characters = np.concatenate([each.line_characters for each in outlines])
    owners = np.repeat(np.arange(len(outlines)), [len(each.lines) for each in outlines])
    sums = np.bincount(owners[shared], weights=characters[shared], minlength=len(outlines))
    return [float(told) / max(1, each.characters) for told, each in zip(sums.tolist(), outlines)]


def related(outlines: Mapping[int, Outline], common: Hashes) -> list[tuple[int, int]]:
    """Pairs of documents that overlap so much that they belong to one family."""
    if not outlines:
        return []
    ids = list(outlines)
    samples = _without(list(outlines.values()), common)
    shares = [each.share for each in outlines.values()]
    found = []
    for one, other, shared in _sharing(samples):
        limit = _limit(min(shares[one], shares[other]))
        smaller = min(int(np.searchsorted(samples[each], limit)) for each in (one, other))
        if shared >= OF_SMALLER * smaller:
            found.append((ids[one], ids[other]))
    return found


def _without(outlines: Sequence[Outline], common: Hashes) -> list[Hashes]:
    """The runs of each that touch no line that stands in many."""
    begun = _among(np.concatenate([each.run_lines[0] for each in outlines]), common)
    ended = _among(np.concatenate([each.run_lines[1] for each in outlines]), common)
    kept = ~(begun | ended)
    ends = np.cumsum([len(each.runs) for each in outlines])
    return [
        each.runs[kept[end - len(each.runs) : end]] for each, end in zip(outlines, ends.tolist())
    ]


def _among(hashes: Hashes, common: Hashes) -> npt.NDArray[np.bool_]:
    """Which of them are in `common`, which is sorted."""
    if not len(common):
        return np.zeros(len(hashes), dtype=np.bool_)
    places = np.minimum(np.searchsorted(common, hashes), len(common) - 1)
    found: npt.NDArray[np.bool_] = common[places] == hashes
    return found


def families(documents: Collection[int], pairs: Collection[tuple[int, int]]) -> dict[int, int]:
    """The smallest id of each document's family; who is related to whom is handed on."""
    parent = {document: document for document in documents}

    def head(document: int) -> int:
        while parent[document] != document:
            parent[document] = parent[parent[document]]
            document = parent[document]
        return document

    for one, other in pairs:
        first, second = sorted((head(one), head(other)))
        parent[second] = first
    return {document: head(document) for document in parent}


def _sharing(samples: Sequence[Hashes]) -> Iterator[tuple[int, int, int]]:
    """Pairs of places that share enough runs, and how many."""
    runs = np.concatenate(samples).astype(np.uint64) << np.uint64(32)
    runs |= np.repeat(np.arange(len(samples), dtype=np.uint64), [len(each) for each in samples])
    runs.sort()  # by run, and for each run by place: one sort of both is several times as fast
    owners = (runs & np.uint64(2**32 - 1)).astype(np.int64)
    borders = np.flatnonzero(np.diff(runs >> np.uint64(32))) + 1
    starts = np.concatenate(([0], borders))
    sizes = np.diff(np.concatenate((starts, [len(runs)])))
    pairs = []
    for size in range(2, COMMON + 1):
        groups = owners[starts[sizes == size][:, None] + np.arange(size)]  # (groups, size)
        for one, other in combinations(range(size), 2):
            pairs.append(groups[:, one] * len(samples) + groups[:, other])
    coded, counts = np.unique(np.concatenate(pairs), return_counts=True)
    enough = counts >= SHARED_RUNS
    for code, count in zip(coded[enough].tolist(), counts[enough].tolist()):
        yield code // len(samples), code % len(samples), count


def _limit(share: float) -> np.uint32:
    """Below it lies this share of all hashes; a quarter at most."""
    return np.uint32(int(share * 2**32))


def _hashed(texts: list[str]) -> Hashes:
    (hashes,) = RMinHash.hash_token_sets([texts])
    return (np.asarray(hashes, dtype=np.uint64) >> np.uint64(32)).astype(np.uint32)
