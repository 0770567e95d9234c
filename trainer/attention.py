"""Causal attention on the CPU: next to nothing is computed across the borders of documents.

Rows of packed documents are cut into stretches of queries; each computes with the keys of its own
documents, and with a few more that a mask hides. torch's own attention for CPUs computes the whole
square under a mask, which took a third of a training step on small bases. The probabilities are
not kept: backward makes them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

QUERIES = 128  # of a row that are taken at once
KEYS_STEP = 64  # keys begin at multiples of it

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Stretch:
    """Queries start ... end of one row, which see keys first ... end."""

    row: int
    start: int
    end: int
    first: int
    bias: torch.Tensor  # (end - start, end - first): 0 where a query may look, -inf elsewhere


@dataclass(frozen=True, slots=True)
class Heads:
    """Geometry of one attention layer. Columns of its input: queries, then keys, then values."""

    queries: int
    keys: int
    size: int
    scale: float

    @property
    def group(self) -> int:
        """Query heads that share one head of keys."""
        return self.queries // self.keys


def plan_stretches(
    positions: npt.NDArray[np.int32], window: int | None, dtype: torch.dtype
) -> list[Stretch]:
    """Cut rows into stretches of `QUERIES` queries, whatever documents they belong to.

    The keys of a stretch begin where its oldest document does, or a little before: so products
    have few different shapes, for each of which the CPU's libraries make and keep code.

    Args:
        positions: (rows, time); a document begins where they begin again at 0.
        window: how many keys a query sees, itself included; None for all before it.
    """
    found: list[Stretch] = []
    for row, of_row in enumerate(positions):
        document = np.cumsum(of_row == 0)
        for start in range(0, len(of_row), QUERIES):
            end = min(start + QUERIES, len(of_row))
            oldest = int(np.searchsorted(document, document[start]))
            if window is not None:
                oldest = max(oldest, start - window + 1)
            first = oldest - oldest % KEYS_STEP
            bias = _bias((end - start, end - first), window, document[first:end], dtype)
            found.append(Stretch(row, start, end, first, bias))
    return found


def _bias(
    shape: tuple[int, int],
    window: int | None,
    document: npt.NDArray[np.int64],
    dtype: torch.dtype,
) -> torch.Tensor:
    """Of the last queries among the keys; `document` says to which one each key belongs."""
    queries, keys = shape
    query, key = np.arange(keys - queries, keys)[:, None], np.arange(keys)[None]
    allowed = (key <= query) & (document[None] == document[keys - queries :, None])
    if window is not None:
        allowed &= key > query - window
    return torch.zeros(shape, dtype=dtype).masked_fill_(torch.from_numpy(~allowed), -torch.inf)


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor | None, scale: float
) -> torch.Tensor:
    """softmax(q k^T scale + bias) v.

    Args:
        q: (batch, queries, size).
        k, v: (batch, keys, size).
        bias: broadcasts to (batch, queries, keys).
    """
    return torch.bmm(_probabilities(q, k, bias, scale), v)


def _probabilities(
    q: torch.Tensor, k: torch.Tensor, bias: torch.Tensor | None, scale: float
) -> torch.Tensor:
    scores = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
    if bias is not None:
        scores += bias
    return torch.softmax(scores, dim=-1)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, out: torch.Tensor) -> None:
    """Rotary position embedding (RoFormer, arXiv 2104.09864) in Llama's layout of halves.

    Args:
        x, out: (rows, heads, size), not the same.
        cos, sin: (rows, 1, size / 2). With -sin it is the way back.
    """
    (x1, x2), (y1, y2) = x.chunk(2, dim=-1), out.chunk(2, dim=-1)
    torch.mul(x1, cos, out=y1)
    y1.addcmul_(x2, sin, value=-1)
    torch.mul(x2, cos, out=y2)
    y2.addcmul_(x1, sin)


def packed_attention(
    qkv: torch.Tensor,
    heads: Heads,
    cos: torch.Tensor,
    sin: torch.Tensor,
    stretches: Sequence[Stretch],
    time: int,
) -> torch.Tensor:
    """Rotate queries and keys, then attend within each stretch.

    Args:
        qkv: (rows * time, (queries + 2 keys) * size).
        cos, sin: (rows * time, 1, size / 2).

    Returns:
        (rows * time, queries * size).
    """
    found: torch.Tensor = _PackedAttention.apply(qkv, heads, cos, sin, stretches, time)  # type: ignore[no-untyped-call]
    return found


class _PackedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        qkv: torch.Tensor,
        heads: Heads,
        cos: torch.Tensor,
        sin: torch.Tensor,
        stretches: Sequence[Stretch],
        time: int,
    ) -> torch.Tensor:
        turned = _turned(qkv, heads, cos, sin)
        out = qkv.new_empty((len(qkv), heads.queries, heads.size))
        for one in stretches:
            q, k, v = _views(turned, heads, one, time)
            found = attend(q, k, v, _grouped_bias(one, heads), heads.scale)
            _query_view(out, heads, one, time).copy_(_by_head(found, heads))
        ctx.heads, ctx.stretches, ctx.time = heads, stretches, time
        ctx.save_for_backward(turned, cos, sin)
        return out.view(len(qkv), -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (dy,) = gradients
        turned, cos, sin = ctx.saved_tensors
        heads: Heads = ctx.heads
        dy = dy.view(len(dy), heads.queries, heads.size)
        d_turned = torch.zeros_like(turned)
        for one in ctx.stretches:
            q, k, v = _views(turned, heads, one, ctx.time)
            do = _grouped(_query_view(dy, heads, one, ctx.time), heads)
            p = _probabilities(q, k, _grouped_bias(one, heads), heads.scale)
            d_p = torch.bmm(do, v.transpose(1, 2))
            d_scores = aten._softmax_backward_data(d_p, p, -1, p.dtype).mul_(heads.scale)
            d_q, d_k, d_v = _parts(d_turned, heads, one, ctx.time)
            d_q.copy_(_by_head(torch.bmm(d_scores, k), heads))
            d_k += torch.bmm(d_scores.transpose(1, 2), q)
            d_v += torch.bmm(p.transpose(1, 2), do)
        d_qkv = torch.empty_like(turned)
        rotated, kept = heads.queries + heads.keys, (heads.queries + heads.keys) * heads.size
        rotate(_heads(d_turned, heads)[:, :rotated], cos, -sin, _heads(d_qkv, heads)[:, :rotated])
        d_qkv[:, kept:] = d_turned[:, kept:]
        return d_qkv, None, None, None, None, None


def _turned(qkv: torch.Tensor, heads: Heads, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """A copy of qkv with queries and keys rotated."""
    turned = torch.empty_like(qkv)
    rotated, kept = heads.queries + heads.keys, (heads.queries + heads.keys) * heads.size
    rotate(_heads(qkv, heads)[:, :rotated], cos, sin, _heads(turned, heads)[:, :rotated])
    turned[:, kept:] = qkv[:, kept:]
    return turned


def _heads(columns: torch.Tensor, heads: Heads) -> torch.Tensor:
    """(rows, heads, size) of columns side by side."""
    return columns.view(len(columns), -1, heads.size)


def _query_view(rows: torch.Tensor, heads: Heads, one: Stretch, time: int) -> torch.Tensor:
    """(queries, heads, size) of the stretch as (key heads, group, queries, size)."""
    part = rows[one.row * time + one.start : one.row * time + one.end]
    return part.view(-1, heads.keys, heads.group, heads.size).permute(1, 2, 0, 3)


def _grouped(by_head: torch.Tensor, heads: Heads) -> torch.Tensor:
    """(key heads, group, queries, size) as (key heads, group * queries, size)."""
    return by_head.reshape(heads.keys, -1, heads.size)


def _by_head(grouped: torch.Tensor, heads: Heads) -> torch.Tensor:
    return grouped.view(heads.keys, heads.group, -1, heads.size)


def _grouped_bias(one: Stretch, heads: Heads) -> torch.Tensor:
    return one.bias if heads.group == 1 else one.bias.repeat(heads.group, 1)


def _parts(
    columns: torch.Tensor, heads: Heads, one: Stretch, time: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries (key heads, group, queries, size); keys and values (key heads, keys, size)."""
    by_head = _heads(columns, heads)
    keyed = by_head[one.row * time + one.first : one.row * time + one.end]
    k = keyed[:, heads.queries : heads.queries + heads.keys].transpose(0, 1)
    v = keyed[:, heads.queries + heads.keys :].transpose(0, 1)
    return _query_view(by_head[:, : heads.queries], heads, one, time), k, v


def _views(
    columns: torch.Tensor, heads: Heads, one: Stretch, time: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v = _parts(columns, heads, one, time)
    return _grouped(q, heads), k, v
