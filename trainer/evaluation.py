"""How well an adapter predicts documents: summed nats per document.

Documents are packed into rows of the whole context, so each token sees all of its document that
the context holds; rows are kept in an order that does not depend on the adapter, so that two
adapters are judged on exactly the same predictions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from trainer.examples import TrainingExample
from trainer.loss import target_nats
from trainer.packing import batches, pack_rows

ROWS_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLoss:
    """Summed nats over the `tokens` targets of the document `key`."""

    key: int
    nats: float
    tokens: int


def document_losses(
    model: PreTrainedModel,
    examples: Sequence[TrainingExample],
    *,
    row_tokens: int,
    between_batches: Callable[[], None] = lambda: None,
) -> list[DocumentLoss]:
    """Losses by document, ordered by key; the adapter is whichever is active."""
    nats: dict[int, float] = {}
    tokens: dict[int, int] = {}
    for batch in batches(pack_rows(examples, row_tokens), ROWS_AT_ONCE):
        between_batches()
        with torch.no_grad():
            losses = target_nats(model, batch).double().cpu().tolist()
        keys = batch.keys[:, 1:][batch.target_mask[:, 1:]].tolist()
        for key, loss in zip(keys, losses, strict=True):
            nats[key] = nats.get(key, 0.0) + loss
            tokens[key] = tokens.get(key, 0) + 1
    return [DocumentLoss(key=key, nats=nats[key], tokens=tokens[key]) for key in sorted(nats)]
