"""What differs between devices, in one place: the optimizer and the compute dtype."""

from collections.abc import Sequence

import torch

from trainer.stock_kernels import PagedAdamW32bit


def optimizer_for(
    parameters: Sequence[torch.nn.Parameter], *, learning_rate: float, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW with beta2 0.999 and no weight decay; on CUDA paged and 32-bit (QLoRA, section 3)."""
    if device.type == "cuda":
        paged: torch.optim.Optimizer = PagedAdamW32bit(
            parameters, lr=learning_rate, betas=(0.9, 0.999), weight_decay=0.0
        )
        return paged
    fused = torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.999), weight_decay=0.0, fused=True
    )
    # the fused step (torch 2.13) does not count as a change; what is kept of an adapter asks for it
    fused.register_step_post_hook(lambda *_: torch.autograd.graph.increment_version(parameters))
    return fused
