"""Turns of a text and what redaction finds in it: no find crosses from one speaker to another, and
turns stay where their words are. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from daemon.collecting.redaction_reading import MASK, Find
from storage.records import SpokenTurn

Stretch = tuple[int, int]

WALL = f"\n{MASK}\n"  # what stands beside it begins or ends a line, as a turn does


def stretches(turns: Sequence[SpokenTurn], characters: int) -> list[Stretch]:
    """A text of so many characters in pieces, as its turns divide it: all of it, in order.

    Raises:
        ValueError: turns that are not in order, overlap or lie outside of the text.
    """
    found: list[Stretch] = []
    at = 0
    for turn in turns:
        if not at <= turn.start <= turn.end <= characters:
            raise ValueError("turns are to be in order, apart from each other and in the text")
        found += (at, turn.start), (turn.start, turn.end)
        at = turn.end
    return [one for one in (*found, (at, characters)) if one[0] < one[1]]


def within(finds: Iterable[Find], pieces: Sequence[Stretch], text: str) -> Iterator[Find]:
    """The finds in order, one that crosses a border as its parts; blank ones are left out."""
    place = 0
    for find in finds:
        while pieces[place][1] <= find.start:
            place += 1
        here = place
        while here < len(pieces) and pieces[here][0] < find.end:
            start, end = max(find.start, pieces[here][0]), min(find.end, pieces[here][1])
            if text[start:end].strip():
                yield find._replace(start=start, end=end)
            here += 1


def apart(text: str, pieces: Sequence[Stretch]) -> tuple[str, list[Stretch]]:
    """The pieces with a wall between them that no rule looks across, and where they stand now.

    A pass over that is many times faster than a pass over each of them.
    """
    places: list[Stretch] = []
    at = 0
    for start, end in pieces:
        places.append((at, at + end - start))
        at += end - start + len(WALL)
    return WALL.join(text[start:end] for start, end in pieces), places


def back(
    finds: Iterable[Find], places: Sequence[Stretch], pieces: Sequence[Stretch]
) -> Iterator[Find]:
    """Finds in such pieces, in order, as they lie in the text."""
    place = 0
    for find in finds:
        while places[place][1] <= find.start:
            place += 1
        by = pieces[place][0] - places[place][0]
        yield find._replace(start=find.start + by, end=find.end + by)


def moved(
    turns: Sequence[SpokenTurn], changes: Iterable[tuple[int, int]]
) -> tuple[SpokenTurn, ...]:
    """Turns of a text in which stretches were replaced, none of them across a turn's border.

    Args:
        changes: where each stretch ended, and by how many characters it grew; in order.
    """
    waiting = iter(changes)
    change = next(waiting, None)
    by = 0

    def after(at: int) -> int:
        nonlocal change, by
        while change is not None and change[0] <= at:
            by += change[1]
            change = next(waiting, None)
        return at + by

    return tuple(replace(turn, start=after(turn.start), end=after(turn.end)) for turn in turns)
