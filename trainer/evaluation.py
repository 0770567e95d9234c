"""How well an adapter predicts documents: summed nats per document.

Documents are packed into long rows, in an order that does not depend on the adapter: where a row
ends inside a document, its rest is predicted without its beginning, by each adapter alike. So two
adapters are judged on exactly the same predictions.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from trainer.border import OPEN, Border, BorderReached
from trainer.decoding import Activate, evaluating
from trainer.examples import TrainingExample
from trainer.loss import target_nats
from trainer.packing import batches, pack_rows
from trainer.stock_models import PreTrainedModel

# In one row, and of all rows that go through the model together: enough that dequantising costs
# nearly nothing, few enough that judging needs less memory than training.
TOKENS_AT_ONCE = 2048


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
    context_tokens: int,
    between_batches: Callable[[], None] = lambda: None,
    activate: Activate = nullcontext,
    border: Border = OPEN,
) -> list[DocumentLoss]:
    """Losses by document, ordered by key; one that is too short to be predicted has none.

    Args:
        context_tokens: what the base can read at once.
        between_batches: called before every batch; other work may use the model there.
        activate: makes the wanted adapter the active one; entered around each batch only.
        border: where a batch may be dropped; after `between_batches` it is begun again.
    """
    nats: dict[int, float] = {}
    tokens: dict[int, int] = {}
    row_tokens = min(context_tokens, TOKENS_AT_ONCE)
    for batch in batches(pack_rows(examples, row_tokens), TOKENS_AT_ONCE // row_tokens):
        losses = None
        while losses is None:
            between_batches()
            with suppress(BorderReached), evaluating(model), activate():
                losses = target_nats(model, batch, border).double().cpu().tolist()
        keys = batch.keys[:, 1:][batch.target_mask[:, 1:]].tolist()
        for key, loss in zip(keys, losses, strict=True):
            nats[key] = nats.get(key, 0.0) + loss
            tokens[key] = tokens.get(key, 0) + 1
    return [DocumentLoss(key=key, nats=nats[key], tokens=tokens[key]) for key in sorted(nats)]
