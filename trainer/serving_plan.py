"""How much memory chats get: keys and values of those that are answered, and of beginnings that are
kept because the next turn has them too. Pure, and knows no torch.
"""

from trainer.memory_terms import Adapted, cache_bytes, serving_bytes

AT_ONCE = 16  # rows at most; a test compares it with the kernels' `nf4.MOST_ROWS`
SHARE = 0.25  # of what is free beside the base: a night may want the rest, and so may others


def rows_budget(adapted: Adapted, *, context_tokens: int, usable_bytes: int) -> int:
    """The most that keys and values take together.

    At least one chat that is as long as the context, without which nobody could be answered; at
    most so many of them as there are rows.

    Args:
        adapted: the base with the kind of adapter that answers.
        usable_bytes: what the engine may take in all: what is free, or less.
    """
    one = cache_bytes(adapted, 1, context_tokens)
    beside = serving_bytes(adapted, context_tokens) - one  # base, libraries, a prompt's pieces
    shared = round((usable_bytes - beside) * SHARE)
    return max(one, min(shared, AT_ONCE * one))
