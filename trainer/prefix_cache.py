"""Keys and values of rows that have ended, for rows that begin alike: a conversation's next turn.

In memory only, and only as much as there is room for: what was used longest ago goes first. Nothing
is shared between adapters, nor between two that had the same name one after the other.

Where a row must give exactly the tokens that it gives alone (greedy or seeded), it takes over only
whole chunks that were read as chunks: these are the same bits as if it had read them itself. A
token that was generated went through the model by itself; read again within a chunk its keys are
the same up to the rounding of their dtype, but not the same bits. An answer that nobody can repeat
anyway takes these over as well, else each turn of a conversation would begin with reading the last
answer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from trainer.nf4 import PAGE_TOKENS
from trainer.row_cache import Page, PagePool
from trainer.served_adapters import LoadedAdapter

MOST = 256  # however small they are: each is looked at when a row begins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefix:
    """Tokens, and their keys and values with one adapter.

    Args:
        owner: the adapter; None for the base itself.
        exact: so many tokens, from the first, were read in whole chunks.
        read: so many were read at all; the rest was generated.
    """

    owner: LoadedAdapter | None
    tokens: Sequence[int] = field(repr=False)
    exact: int
    read: int
    pages: Sequence[Page] = field(repr=False)


def reusable(
    prefix: Prefix,
    owner: LoadedAdapter | None,
    prompt: Sequence[int],
    *,
    exact: bool,
    chunk: int = PAGE_TOKENS,
) -> int:
    """How many of a prompt's tokens need not be read because of a prefix; never the last."""
    if prefix.owner is not owner:
        return 0
    common = common_tokens(prefix.tokens, prompt[:-1])
    if not exact and common > prefix.read:
        return common
    return min(common, prefix.exact) // chunk * chunk


def common_tokens(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    most = min(len(one), len(other))
    if list(one[:most]) == list(other[:most]):
        return most
    return next(place for place in range(most) if one[place] != other[place])


class PrefixCache:
    """Prefixes of rows that have ended, the one that was used last at the end."""

    def __init__(self, pool: PagePool) -> None:
        self._pool = pool
        self._kept: list[Prefix] = []

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Prefix]:
        return iter(self._kept)

    def keep(self, prefix: Prefix) -> None:
        """Take a prefix and its pages over; shorter ones that it begins with are given up."""
        for kept in list(self._kept):
            if _is_within(kept, prefix):
                self._give_up(kept)
        self._kept.append(prefix)
        if len(self._kept) > MOST:
            self.give_up_oldest()

    def used(self, prefix: Prefix) -> None:
        """It is the last now that is given up."""
        if any(kept is prefix for kept in self._kept):
            self._kept = [kept for kept in self._kept if kept is not prefix] + [prefix]

    def give_up_oldest(self) -> bool:
        """Give up what was used longest ago; returns whether there was anything."""
        if self._kept:
            self._give_up(self._kept[0])
            return True
        return False

    def forget(self, gone: Callable[[LoadedAdapter | None], bool]) -> None:
        """Wipe what belongs to these owners."""
        for kept in list(self._kept):
            if gone(kept.owner):
                self._give_up(kept, wipe=True)

    def clear(self) -> None:
        """Wipe everything."""
        self.forget(lambda owner: True)

    def _give_up(self, prefix: Prefix, *, wipe: bool = False) -> None:
        self._kept = [kept for kept in self._kept if kept is not prefix]
        for page in prefix.pages:
            self._pool.release(page, wipe=wipe)


def _is_within(shorter: Prefix, longer: Prefix) -> bool:
    """Whether whoever could use one can use the other as well."""
    if shorter.owner is not longer.owner or shorter.exact > longer.exact:
        return False
    return common_tokens(shorter.tokens, longer.tokens) == len(shorter.tokens)
