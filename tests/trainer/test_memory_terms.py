"""What the terms of memory take over from modules with torch is what those modules have."""

from trainer import attention, evaluation, generation, head_losses, kv_cache, memory_terms
from trainer import nf4_function as products


def test_constants_are_those_of_the_code() -> None:
    assert memory_terms.QUERIES_AT_ONCE == attention.QUERIES
    assert memory_terms.ROOM_WEIGHTS == products.ROOM_WEIGHTS
    assert memory_terms.LOGITS_AT_ONCE == head_losses.LOGITS_AT_ONCE
    assert memory_terms.EVALUATED_TOKENS == evaluation.TOKENS_AT_ONCE
    assert memory_terms.PREFILL_TOKENS == generation.PREFILL_TOKENS
    assert memory_terms.CACHE_ROOM_TOKENS == kv_cache.ROOM_TOKENS
    assert memory_terms.CACHE_ROOM_SHARE == kv_cache.ROOM_SHARE
