"""What a batch costs: cross-entropy of a person's text, divergence from the base on general text.

Logits exist only for positions that predict a target.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from transformers import PreTrainedModel

from trainer.examples import Batch

TARGETS_AT_ONCE = 2048  # logits of (2048, vocabulary) in fp32: 256 MiB for 32k tokens


def target_nats(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Nats of every target, in row order: (targets,) fp32."""
    predicting = _predicting_states(model, batch)  # (targets, hidden)
    ids, is_target = torch.from_numpy(batch.ids).long(), torch.from_numpy(batch.target_mask)
    targets = ids[:, 1:][is_target[:, 1:]].to(model.device)  # (targets,)
    head = model.get_output_embeddings()
    pieces = [
        torch.nn.functional.cross_entropy(head(rows).float(), wanted, reduction="none")
        for rows, wanted in zip(
            predicting.split(TARGETS_AT_ONCE), targets.split(TARGETS_AT_ONCE), strict=True
        )
    ]
    return torch.cat(pieces) if pieces else predicting.new_zeros(0, dtype=torch.float32)


def divergence_from_base(
    model: PreTrainedModel, batch: Batch, bare: Callable[[], AbstractContextManager[None]]
) -> torch.Tensor:
    """KL(base || model) in nats at every target, in row order: (targets,) fp32.

    On the base's own samples its mean is how much the model's loss lies above the base's; taken
    from the whole distributions it has far less noise than the sampled tokens (Hinton et al.,
    arXiv 1503.02531, with temperature 1).

    Args:
        bare: inside, the model is the plain base, without gradients.
    """
    with bare():
        of_base = _predicting_states(model, batch)  # (targets, hidden)
    predicting = _predicting_states(model, batch)
    head = model.get_output_embeddings()
    pieces = []
    for theirs, ours in zip(
        of_base.split(TARGETS_AT_ONCE), predicting.split(TARGETS_AT_ONCE), strict=True
    ):
        with torch.no_grad():
            wanted = head(theirs).float().log_softmax(-1)  # (some, vocabulary)
        found = head(ours).float().log_softmax(-1)
        pieces.append((wanted.exp() * (wanted - found)).sum(-1))
    return torch.cat(pieces) if pieces else predicting.new_zeros(0, dtype=torch.float32)


def _predicting_states(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Last hidden states of the positions before targets: (targets, hidden).

    No attention mask is given: transformers then keeps documents apart by restarting positions.
    """
    device = model.device
    ids = torch.from_numpy(batch.ids).long().to(device)  # (rows, time)
    positions = torch.from_numpy(batch.position_ids).long().to(device)
    is_target = torch.from_numpy(batch.target_mask).to(device)
    decoder = model.get_decoder()
    hidden = decoder(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
    states: torch.Tensor = hidden[:, :-1][is_target[:, 1:]]
    return states
