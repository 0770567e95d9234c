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

from trainer.shingles import shingles, words

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

MOST_WORDS = 2_000_000
RUN_WORDS = 8
RUNS = 512  # of a document that are kept, but at least this share and at most that:
LEAST_SHARE, MOST_SHARE = 1 / 32, 1 / 4
SHARED_RUNS = 3  # that two have to share, and this share of the one with fewer:
OF_SMALLER = 0.25
COMMON = 16  # a run in more documents is a phrase

LINE_WORDS = 4  # a shorter line is a greeting
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
    at = np.flatnonzero(runs < np.uint64(int(share * 2**64)))
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
        return np.empty(0, dtype=np.uint64)
    many = min(MANY_MOST, max(MANY_LEAST, round(MANY_SHARE * len(outlines))))
    lines, documents = np.unique(
        np.concatenate([outline.lines for outline in outlines]), return_counts=True
    )
    return lines[documents >= many]


def shared_share(own: Outline, common: Hashes) -> float:
    """Share of a text that is boilerplate, repeated lines counted once."""
    shared = np.isin(own.lines, common)
    return float(own.line_characters[shared].sum()) / max(1, own.characters)


def related(outlines: Mapping[int, Outline], common: Hashes) -> list[tuple[int, int]]:
    """Pairs of documents that overlap so much that they belong to one family."""
    ids = list(outlines)
    samples = [
        each.runs[~np.isin(each.run_lines, common).any(axis=0)] for each in outlines.values()
    ]
    shares = [each.share for each in outlines.values()]
    found = []
    for one, other, shared in _sharing(samples):
        limit = np.uint64(int(min(shares[one], shares[other]) * 2**64))
        smaller = min(int(np.searchsorted(samples[each], limit)) for each in (one, other))
        if shared >= OF_SMALLER * smaller:
            found.append((ids[one], ids[other]))
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
    if not samples:
        return
    runs = np.concatenate(samples)
    owners = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    order = np.argsort(runs, kind="stable")
    runs, owners = runs[order], owners[order]
    _, starts, sizes = np.unique(runs, return_index=True, return_counts=True)
    pairs = []
    for size in range(2, COMMON + 1):
        groups = owners[starts[sizes == size][:, None] + np.arange(size)]  # (groups, size)
        for one, other in combinations(range(size), 2):
            pairs.append(groups[:, one] * len(samples) + groups[:, other])
    coded, counts = np.unique(np.concatenate(pairs), return_counts=True)
    enough = counts >= SHARED_RUNS
    for code, count in zip(coded[enough].tolist(), counts[enough].tolist()):
        yield code // len(samples), code % len(samples), count


def _hashed(texts: list[str]) -> Hashes:
    (hashes,) = RMinHash.hash_token_sets([texts])
    return np.asarray(hashes, dtype=np.uint64)
