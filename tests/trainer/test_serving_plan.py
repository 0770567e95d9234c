"""How much memory chats get, from sizes alone."""

from dataclasses import replace

import pytest

from trainer.bench.geometry import GEOMETRIES
from trainer.memory_terms import Adapted, cache_bytes, serving_bytes
from trainer.nf4 import MOST_ROWS
from trainer.serving_plan import AT_ONCE, SHARE, rows_budget

LARGE = Adapted(geometry=GEOMETRIES["7b"].plain, rank=16)
SMALL = Adapted(geometry=GEOMETRIES["tiny"].plain, rank=16)
CONTEXT = 4096
ONE = cache_bytes(LARGE, 1, CONTEXT)


def test_rows_are_those_of_the_kernels() -> None:
    assert AT_ONCE == MOST_ROWS


@pytest.mark.parametrize("usable", [0, 4_000_000_000, serving_bytes(LARGE, CONTEXT)])
def test_one_chat_as_long_as_the_context_always_fits(usable: int) -> None:
    assert rows_budget(LARGE, context_tokens=CONTEXT, usable_bytes=usable) == ONE


def test_of_what_is_free_beside_the_base_chats_take_a_share() -> None:
    usable = serving_bytes(LARGE, CONTEXT) - ONE + 12_000_000_000
    found = rows_budget(LARGE, context_tokens=CONTEXT, usable_bytes=usable)
    assert found == round(12_000_000_000 * SHARE) > ONE


def test_no_more_than_the_rows_there_are() -> None:
    found = rows_budget(SMALL, context_tokens=1024, usable_bytes=10**11)
    assert found == AT_ONCE * cache_bytes(SMALL, 1, 1024)
    wider = replace(SMALL, compute_bytes=4)
    assert rows_budget(wider, context_tokens=1024, usable_bytes=10**11) == 2 * found
