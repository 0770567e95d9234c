"""Documents that overlap, taken together: pure, and without any word of what they are.

A family is as young as its youngest member.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Member(Protocol):
    @property
    def document_id(self) -> int: ...

    @property
    def side(self) -> int: ...


M = TypeVar("M", bound=Member)


@dataclass(frozen=True, slots=True)
class Family(Generic[M]):
    members: tuple[M, ...]


def families_of(documents: Iterable[M]) -> list[Family[M]]:
    """By their youngest members, oldest first."""
    sides: dict[int, list[M]] = {}
    for one in documents:
        sides.setdefault(one.side, []).append(one)
    found = [Family(tuple(members)) for members in sides.values()]
    return sorted(found, key=lambda family: max(one.document_id for one in family.members))


def last_families(
    families: Sequence[Family[M]], documents: int
) -> tuple[list[Family[M]], list[Family[M]]]:
    """All but the last families that together have so many documents, and these."""
    place, count = len(families), 0
    while place and count < documents:
        place -= 1
        count += len(families[place].members)
    return list(families[:place]), list(families[place:])


def draw_families(
    families: Sequence[Family[M]], documents: int, rng: random.Random
) -> list[Family[M]]:
    """A sample of at most so many documents, in the order of the sequence."""
    order = list(range(len(families)))
    rng.shuffle(order)
    chosen, room = [], documents
    for index in order:
        if len(families[index].members) <= room:
            chosen.append(index)
            room -= len(families[index].members)
    return [families[index] for index in sorted(chosen)]
