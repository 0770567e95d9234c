"""Cross-entropy of the targets in a batch; logits exist only for positions that are targets."""

import torch
from transformers import PreTrainedModel

from trainer.examples import Batch

TARGETS_AT_ONCE = 2048  # logits of (2048, vocabulary) in fp32: 256 MiB for 32k tokens


def target_nats(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Nats of every target, in row order: (targets,) fp32.

    No attention mask is given: transformers then keeps documents apart by restarting positions.
    """
    device = model.device
    ids = torch.from_numpy(batch.ids).long().to(device)  # (rows, time)
    positions = torch.from_numpy(batch.position_ids).long().to(device)
    is_target = torch.from_numpy(batch.target_mask).to(device)
    decoder = model.get_decoder()
    hidden = decoder(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
    predicting = hidden[:, :-1][is_target[:, 1:]]  # (targets, hidden)
    targets = ids[:, 1:][is_target[:, 1:]]  # (targets,)
    head = model.get_output_embeddings()
    pieces = [
        torch.nn.functional.cross_entropy(head(rows).float(), wanted, reduction="none")
        for rows, wanted in zip(
            predicting.split(TARGETS_AT_ONCE), targets.split(TARGETS_AT_ONCE), strict=True
        )
    ]
    return torch.cat(pieces) if pieces else hidden.new_zeros(0, dtype=torch.float32)
