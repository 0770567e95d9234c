"""What a batch costs: cross-entropy of a person's text, divergence from the base on general text.

Logits exist only for positions that predict a target.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from trainer.border import OPEN, Border
from trainer.examples import Batch
from trainer.forward import packed_states
from trainer.head_losses import cross_entropy, divergence
from trainer.stock_models import PreTrainedModel


def target_nats(
    model: PreTrainedModel, batch: Batch, border: Border = OPEN, *, recompute_layers: int = 0
) -> torch.Tensor:
    """Nats of every target, in row order: (targets,) fp32."""
    predicting = _predicting_states(model, batch, border, recompute_layers)  # (targets, hidden)
    ids, is_target = torch.from_numpy(batch.ids).long(), torch.from_numpy(batch.target_mask)
    targets = ids[:, 1:][is_target[:, 1:]].to(model.device)  # (targets,)
    return cross_entropy(predicting, model.get_output_embeddings().weight, targets)


def divergence_from_base(
    model: PreTrainedModel,
    batch: Batch,
    bare: Callable[[], AbstractContextManager[None]],
    border: Border = OPEN,
    *,
    recompute_layers: int = 0,
) -> torch.Tensor:
    """KL(base || model) in nats at every target, in row order: (targets,) fp32.

    On the base's own samples its mean is how much the model's loss lies above the base's; taken
    from the whole distributions it has far less noise than the sampled tokens (Hinton et al.,
    arXiv 1503.02531, with temperature 1).

    Args:
        bare: inside, the model is the plain base, without gradients.
    """
    with bare():
        of_base = _predicting_states(model, batch, border, 0)  # (targets, hidden)
    predicting = _predicting_states(model, batch, border, recompute_layers)
    return divergence(predicting, of_base, model.get_output_embeddings().weight)


def _predicting_states(
    model: PreTrainedModel, batch: Batch, border: Border, recompute_layers: int
) -> torch.Tensor:
    """Last hidden states of the positions before targets: (targets, hidden)."""
    if model.device.type == "cpu":
        hidden = packed_states(
            model, batch.ids, batch.position_ids, border, recompute_layers=recompute_layers
        )
    else:
        hidden = _states_by_transformers(model, batch, border)
    is_target = torch.from_numpy(batch.target_mask).to(model.device)
    states: torch.Tensor = hidden[:, :-1][is_target[:, 1:]]
    return states


def _states_by_transformers(model: PreTrainedModel, batch: Batch, border: Border) -> torch.Tensor:
    """(rows, time, hidden). No attention mask is given: transformers then keeps documents apart by
    restarting positions."""
    ids = torch.from_numpy(batch.ids).long().to(model.device)  # (rows, time)
    positions = torch.from_numpy(batch.position_ids).long().to(model.device)
    decoder = model.get_decoder()
    with border.between(decoder.layers):
        found = decoder(input_ids=ids, position_ids=positions, use_cache=False)
    hidden: torch.Tensor = found.last_hidden_state
    return hidden
