"""Text in, token ids with a loss mask out.

Running text is learned as continuation: every token is a target. In conversations only the
user's own turns are targets; what others said is context. The user's own turns are put where
the base's chat template puts the assistant's, since that is the voice the base speaks with.
Knows nothing of rows, models or why a document is in the night.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from trainer.examples import Mask, SourceText, TokenIds, TrainingExample, Turn


class TextEncoder(Protocol):
    """What curation needs of a tokenizer; contents never become special tokens."""

    def encode_document(self, text: str) -> list[int]:
        """Begin mark (if the base has one), tokens, end mark."""
        ...

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        """(role, content) pairs through the chat template."""
        ...


def curate(texts: Iterable[SourceText], encoder: TextEncoder) -> list[TrainingExample]:
    """Make one example of each text that leaves at least one target; empty ones are dropped."""
    examples = (_example(text, encoder) for text in texts)
    return [example for example in examples if example.targets > 0]


def _example(source: SourceText, encoder: TextEncoder) -> TrainingExample:
    if source.text is not None:
        ids = np.asarray(encoder.encode_document(source.text), dtype=np.int32)
        mask = np.ones(len(ids), dtype=np.bool_)
    else:
        ids, mask = conversation_tokens(source.turns, encoder)
    if len(mask):
        mask[0] = False
    return TrainingExample(key=source.key, role=source.role, ids=ids, loss_mask=mask)


def conversation_tokens(turns: Sequence[Turn], encoder: TextEncoder) -> tuple[TokenIds, Mask]:
    """Encode turns through the chat template and mask all but the user's own words.

    The template is rendered once per turn; what a turn adds after the prompt that asks for it is
    the turn itself. A template whose prompt is not a prefix of the longer rendering (one that
    rewrites earlier turns) would make that untrue, so such a turn is left unmasked as context.

    Returns:
        ids and mask, both (tokens,).
    """
    messages: list[tuple[str, str]] = []
    ids: list[int] = []
    own_spans: list[tuple[int, int]] = []
    for turn in turns:
        asked = encoder.encode_chat(messages, reply_follows=True) if messages else None
        messages.append(("assistant" if turn.own else "user", turn.text))
        longer = encoder.encode_chat(messages, reply_follows=False)
        prompt = _opening(longer, encoder) if asked is None else asked
        if longer[: len(ids)] != ids:
            own_spans.clear()
        if turn.own and longer[: len(prompt)] == prompt:
            own_spans.append((len(prompt), len(longer)))
        ids = longer
    mask = np.zeros(len(ids), dtype=np.bool_)
    for start, end in own_spans:
        mask[start:end] = True
    return np.asarray(ids, dtype=np.int32), mask


def _opening(chat: Sequence[int], encoder: TextEncoder) -> list[int]:
    """What stands before the first word where the user's own turn opens the conversation."""
    wordless = encoder.encode_chat([("assistant", "")], reply_follows=False)
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(chat, wordless))
    return [token for token, _ in shared]
