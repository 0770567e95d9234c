"""Rows through the decoder of a base, on the CPU: our own pass over transformers' modules.

The modules hold the weights and say the geometry; the pass is ours, because a block in few and
fused steps trains twice as fast on small bases, and keeps less for the way back. It is made for
the four families that `architecture.py` knows, and a test compares each of them with
transformers' own pass. Other devices use transformers' pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.checkpoint import checkpoint

from trainer.attention import Heads, Stretch, packed_attention, plan_stretches
from trainer.block_functions import add_norm, swiglu
from trainer.border import OPEN, Border
from trainer.lora_linear import product
from trainer.stock_models import PreTrainedModel


@dataclass(frozen=True, slots=True)
class BlockGeometry:
    """What all blocks of a model share."""

    heads: Heads
    eps: float
    silu: bool  # the usual activation, for which there is one step
    windows: tuple[int | None, ...]  # by block

    @classmethod
    def of(cls, config: Any) -> "BlockGeometry":
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = Heads(
            queries=config.num_attention_heads, keys=config.num_key_value_heads, size=size,
            scale=size**-0.5,
        )  # fmt: skip
        window = getattr(config, "sliding_window", None)
        kinds = getattr(config, "layer_types", None)
        windows = tuple(
            window if kinds is None or kinds[block] == "sliding_attention" else None
            for block in range(config.num_hidden_layers)
        )
        silu = config.hidden_act == "silu"
        return cls(heads=heads, eps=config.rms_norm_eps, silu=silu, windows=windows)


Product = Callable[[torch.Tensor, Sequence[torch.nn.Module]], torch.Tensor]
"""Rows and linear layers to the layers' outputs side by side."""


class Attention(Protocol):
    """Queries, keys and values side by side, and the number of the block, to what comes out."""

    def __call__(self, qkv: torch.Tensor, block: int) -> torch.Tensor: ...


def packed_states(
    model: PreTrainedModel,
    ids: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
    border: Border,
    *,
    recompute_layers: int = 0,
) -> torch.Tensor:
    """Last hidden states of rows of packed documents: (rows, time, hidden).

    Args:
        ids: (rows, time).
        positions: likewise; a document begins where they begin again at 0.
        recompute_layers: so many blocks, from the first, keep only their input for the way back
            and run again then (gradient checkpointing).
    """
    decoder = model.get_decoder()
    geometry = BlockGeometry.of(model.config)
    rows, time = ids.shape
    h = decoder.embed_tokens(torch.from_numpy(ids).long().view(-1))  # (rows * time, hidden)
    cos, sin = rotary(model, torch.from_numpy(positions).long().view(1, -1), h.dtype)
    plans: dict[int | None, list[Stretch]] = {
        window: plan_stretches(positions, window, h.dtype) for window in set(geometry.windows)
    }

    def attention(qkv: torch.Tensor, block: int) -> torch.Tensor:
        stretches = plans[geometry.windows[block]]
        return packed_attention(qkv, geometry.heads, cos, sin, stretches, time)

    found = run_blocks(model, h, geometry, attention, border, recompute_layers=recompute_layers)
    return found.view(rows, time, -1)


def run_blocks(
    model: PreTrainedModel,
    h: torch.Tensor,
    geometry: BlockGeometry,
    attention: Attention,
    border: Border = OPEN,
    *,
    recompute_layers: int = 0,
    only: torch.Tensor | None = None,
    multiply: Product = product,
) -> torch.Tensor:
    """Embeddings (rows, hidden) through all blocks and the last norm: (rows, hidden).

    Args:
        only: the rows whose last states are wanted; all by default.
        multiply: with which adapters; by default with the one that is active.
    """
    decoder = model.get_decoder()
    delta = None
    for number, block in enumerate(decoder.layers):
        h = border.cross(h)
        step = partial(_run_block, block, geometry, partial(attention, block=number), multiply)
        if number < recompute_layers and torch.is_grad_enabled():
            h, delta = checkpoint(step, h, delta, use_reentrant=False)
        else:
            h, delta = step(h, delta)
    if only is not None:
        h, delta = h[only], delta if delta is None else delta[only]
    _, normed = add_norm(h, delta, decoder.norm.weight, geometry.eps)
    return border.cross(normed)


def _run_block(
    block: Any,
    geometry: BlockGeometry,
    attention: Callable[[torch.Tensor], torch.Tensor],
    multiply: Product,
    h: torch.Tensor,
    delta: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the residual stream before the feed-forward part, and what that part adds."""
    layer, mlp = block.self_attn, block.mlp
    h, x = add_norm(h, delta, block.input_layernorm.weight, geometry.eps)
    qkv = multiply(x, [layer.q_proj, layer.k_proj, layer.v_proj])
    if hasattr(layer, "q_norm"):
        qkv = _normed_heads(layer, qkv, geometry.heads)
    attended = multiply(attention(qkv), [layer.o_proj])
    h, x = add_norm(h, attended, block.post_attention_layernorm.weight, geometry.eps)
    gate_up = multiply(x, [mlp.gate_proj, mlp.up_proj])
    if geometry.silu:
        activated = swiglu(gate_up)
    else:
        gate, up = gate_up.chunk(2, dim=-1)
        activated = mlp.act_fn(gate) * up
    return h, multiply(activated, [mlp.down_proj])


def _normed_heads(layer: Any, qkv: torch.Tensor, heads: Heads) -> torch.Tensor:
    """Qwen3 normalises each head of queries and keys."""
    q, k, v = qkv.view(len(qkv), -1, heads.size).split([heads.queries, heads.keys, heads.keys], 1)
    return torch.cat((layer.q_norm(q), layer.k_norm(k), v), dim=1).view(len(qkv), -1)


def rotary(
    model: PreTrainedModel, positions: torch.Tensor, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of positions (1, rows), as `attention.rotate` wants them."""
    example = torch.empty(0, dtype=dtype)
    cos, sin = model.get_decoder().rotary_emb(example, positions)  # (1, rows, size)
    half = cos.shape[-1] // 2
    return cos[0, :, None, :half].contiguous(), sin[0, :, None, :half].contiguous()
