"""Which beginnings are taken over, and which are kept."""

import pytest
import torch

from trainer.prefix_cache import Prefix, PrefixCache, common_tokens, reusable
from trainer.row_cache import PagePool
from trainer.served_adapters import LoadedAdapter

ADA, BEA = (LoadedAdapter(name="same", layers={}) for _ in range(2))
TOKENS = list(range(1000, 1300))


def prefix(
    tokens: list[int], *, owner: LoadedAdapter | None = ADA, exact: int = 128, read: int = 200
) -> Prefix:
    return Prefix(owner=owner, tokens=tokens, exact=exact, read=read, pages=())


@pytest.mark.parametrize(
    ("prompt", "exact", "found"),
    [
        (TOKENS, True, 128),  # whole chunks that were read as chunks
        (TOKENS, False, 299),  # behind what was generated; the last token is always read
        (TOKENS[:129], True, 128),
        (TOKENS[:128], True, 0),
        ([*TOKENS[:180], 7, 7], False, 128),  # ends within what was read
        ([*TOKENS[:201], 7, 7], False, 201),
        ([7, *TOKENS], False, 0),
        ([7], True, 0),
    ],
)
def test_how_much_of_a_prompt_need_not_be_read(prompt: list[int], exact: bool, found: int) -> None:
    assert reusable(prefix(TOKENS), ADA, prompt, exact=exact) == found
    for stranger in (BEA, None):  # of the same name, and the base itself
        assert reusable(prefix(TOKENS), stranger, prompt, exact=exact) == 0


def test_common_tokens() -> None:
    assert common_tokens([], [1]) == 0
    assert common_tokens([1, 2], [1, 2, 3]) == 2
    assert common_tokens([1, 2, 4], [1, 2, 3]) == 2


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = PrefixCache(PagePool(1, 1, 32, torch.float32))
    kept = [prefix([number] * 200) for number in range(3)]
    for one in kept:
        cache.keep(one)
    cache.used(kept[0])
    cache.give_up_oldest()
    assert [one.tokens[0] for one in cache] == [2, 0]
    assert [cache.give_up_oldest() for _ in range(3)] == [True, True, False]


def test_a_longer_one_takes_the_place_of_its_own_beginning_only() -> None:
    cache = PrefixCache(PagePool(1, 1, 32, torch.float32))
    others = [prefix(TOKENS[:250], owner=BEA), prefix([*TOKENS[:250], 7]), prefix([7])]
    more_exact = prefix(TOKENS[:250], exact=256)
    for one in (prefix(TOKENS[:250]), *others, more_exact, longest := prefix(TOKENS)):
        cache.keep(one)
    assert list(cache) == [*others, more_exact, longest]


def test_pages_go_back_when_nobody_uses_them() -> None:
    pool = PagePool(2, 1, 32, torch.float32)
    page = pool.take()
    page.tensor.fill_(1.0)
    pool.share(page)
    pool.release(page, wipe=True)
    assert (pool.pages, bool(page.tensor.all())) == (1, True)
    pool.release(page, wipe=True)
    assert (pool.pages, bool(page.tensor.any())) == (0, False)
