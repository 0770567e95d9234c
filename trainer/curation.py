"""Text in, token ids with a loss mask out, in pieces that fit a row.

Running text is learned as continuation: every token is a target, but of a text that has grown only
what is new, with a little of what stands before it as context. In conversations only the own turns
are targets; what others said is context. Long texts are cut before paragraphs (`cutting.py`),
conversations between turns (`conversations.py`). Lines that many of the texts have are cut before
(`shared_lines.py`). Knows nothing of rows, models or why a document is in the night.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from trainer.conversations import ChatEncoder, conversation_tokens, messages_of
from trainer.cutting import Borders, borders, borders_in, cuts
from trainer.examples import READING_KEY, Mask, Role, SourceText, TokenIds, TrainingExample
from trainer.shared_lines import without_shared_lines
from trainer.stretches import stretches

CONTEXT_CHARACTERS = 400  # of known text before what is new, at most


class TextEncoder(ChatEncoder, Protocol):
    """What curation needs of a tokenizer; contents never become special tokens."""

    @property
    def begin_id(self) -> int | None:
        """The mark before a text, if the base has one."""
        ...

    @property
    def end_id(self) -> int | None:
        """The mark after a text, if the base has one."""
        ...

    def encode_text(self, text: str) -> list[int]:
        """Tokens of a text alone."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for; nothing for marks."""
        ...


def curate(
    texts: Iterable[SourceText], encoder: TextEncoder, *, most_tokens: int
) -> list[TrainingExample]:
    """Make examples of each text, of at most `most_tokens`; what leaves no target is dropped.

    All texts of a night together: lines that many of them have are cut.

    A turn that is longer than that makes a longer example, which packing has to cut.
    """
    cut = without_shared_lines(list(texts))
    examples = (one for text in cut for one in _examples(text, encoder, most_tokens))
    return [example for example in examples if example.targets > 0]


def _examples(source: SourceText, encoder: TextEncoder, most: int) -> Iterator[TrainingExample]:
    if source.text is None:
        for turns in stretches(source, encoder, most):
            ids, mask = conversation_tokens(messages_of(turns), encoder)
            yield _example(source, ids, mask, _borders(ids, encoder))
        return
    ids, mask = _document_tokens(source.text, source.fresh, encoder)
    found = _borders(ids, encoder)
    for start, end in cuts(len(ids), found, most):
        inside = tuple(place - start for place in found.sentences if start < place < end)
        piece = Borders(paragraphs=(), sentences=inside)
        yield _example(source, ids[start:end], mask[start:end].copy(), piece)


def _example(source: SourceText, ids: TokenIds, mask: Mask, found: Borders) -> TrainingExample:
    if len(mask):
        mask[0] = False
    key = READING_KEY if source.role is Role.READING else source.key
    return TrainingExample(
        key=key, role=source.role, ids=ids, loss_mask=mask, borders=found.sentences
    )


def _borders(ids: TokenIds, encoder: TextEncoder) -> Borders:
    return borders(map(encoder.token_bytes, ids.tolist()))


def _document_tokens(
    text: str, fresh: tuple[int, int] | None, encoder: TextEncoder
) -> tuple[TokenIds, Mask]:
    """A text from what is new on, with its context, to the end of what is new; marks where the
    text itself begins and ends, as far as the base has them.

    Returns:
        ids and mask, both (tokens,).
    """
    start, end = fresh or (0, len(text))
    begin = context_start(text, start)
    context, new = encoder.encode_text(text[begin:start]), encoder.encode_text(text[start:end])
    opening = [encoder.begin_id] if begin == 0 and encoder.begin_id is not None else []
    closing = [encoder.end_id] if end == len(text) and encoder.end_id is not None else []
    ids = np.asarray([*opening, *context, *new, *closing], dtype=np.int32)
    return ids, np.arange(len(ids)) >= len(opening) + len(context)


def context_start(text: str, start: int) -> int:
    """Where the context of what is new from `start` on begins: with a paragraph, else a sentence,
    not more than `CONTEXT_CHARACTERS` before it.
    """
    least = max(0, start - CONTEXT_CHARACTERS)
    if least == 0:
        return 0
    found = borders_in(text[least:start])
    places = [*found.paragraphs[:1], *found.sentences[:1], start - least]
    return least + places[0]
