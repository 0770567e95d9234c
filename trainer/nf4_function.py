"""Frozen NF4 matrices that read the same input, LoRA adapters beside them: forward and gradients.

    y_i = x W_i^T + scale_i (x A_i^T) B_i^T + bias_i        for each part i, side by side

One autograd function keeps the input and nothing else: the W are dequantised again for the
gradient of x, and their own gradients are never made (QLoRA, section 3, equation 5). Queries, keys
and values are one such product, gate and up projection another.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from trainer.nf4 import MOST_RANK, MOST_ROWS, Nf4Matrix, RowAdapters, ServedAdapter

ROOM_WEIGHTS = 1 << 26  # that are dequantised at a time: 128 MiB of bf16, or one larger matrix

_workspace = threading.local()


class Adapter:
    """LoRA factors of one layer: `a` (rank, in_features) and `b` (out_features, rank)."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, scale: float) -> None:
        self.a, self.b, self.scale = a, b, scale
        self._served: ServedAdapter | None = None
        self._stamp: object = None

    def served(self, dtype: torch.dtype) -> ServedAdapter:
        """As the kernels read it, made anew whenever it has changed."""
        a, b = self.a, self.b
        stamp = (dtype, a.data_ptr(), a._version, b.data_ptr(), b._version)
        if self._served is None or self._stamp != stamp:
            self._served, self._stamp = ServedAdapter(a, b, self.scale, dtype), stamp
        return self._served


@dataclass(frozen=True, slots=True)
class Part:
    """One layer of a product."""

    matrix: Nf4Matrix
    bias: torch.Tensor | None = None
    adapter: Adapter | None = None


def linear(x: torch.Tensor, *parts: Part) -> torch.Tensor:
    """(..., in_features) to (..., all out_features), both of x's dtype: bf16 or fp32.

    Few rows without gradients go straight through the codes, each row on its own; more are
    multiplied with a dequantised copy that lasts for the call. Either all parts have an adapter,
    or none has.
    """
    rows = x.reshape(-1, x.shape[-1])
    layers = _Layers(parts)
    learns = any(factor.requires_grad for factor in layers.factors)
    if torch.is_grad_enabled() and (x.requires_grad or learns):
        y: torch.Tensor = _Linear.apply(rows, layers, *layers.factors)  # type: ignore[no-untyped-call]
    elif 0 < len(rows) <= MOST_ROWS:
        y = layers.straight(rows)
    else:
        y = layers.through_copy(rows)
    return y.view(*x.shape[:-1], layers.out_features)


@dataclass(frozen=True, slots=True)
class RowsPart:
    """One layer of a product of rows with adapters of their own."""

    matrix: Nf4Matrix
    bias: torch.Tensor | None = None
    adapters: RowAdapters | None = None  # one or none for each row, of at most `MOST_RANK` ranks
    larger: Sequence[tuple[int, Adapter]] = ()  # rows, and their adapters, of more ranks


def linear_rows(x: torch.Tensor, *parts: RowsPart) -> torch.Tensor:
    """(rows, in_features) to (rows, all out_features), both of x's dtype, for at most `MOST_ROWS`.

    Without gradients, straight from the codes; each row is what it is alone.
    """
    y = x.new_empty((len(x), sum(part.matrix.out_features for part in parts)))
    end = 0
    for part in parts:
        start, end = end, end + part.matrix.out_features
        of_part = part.matrix.matmul(x, out=y[:, start:end], adapter=part.adapters)
        if part.bias is not None:
            of_part += part.bias
        for row, adapter in part.larger:
            a, b = adapter.a.to(x.dtype), adapter.b.to(x.dtype)
            of_part[row].addmv_(b, a @ x[row], alpha=adapter.scale)
    return y


class _Layers:
    """The parts of one product as one: what does not learn, and how they lie side by side."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.out_features = sum(part.matrix.out_features for part in parts)
        adapters = [part.adapter for part in parts if part.adapter is not None]
        self.factors = [factor for one in adapters for factor in (one.a, one.b)]
        self.scales = [one.scale for one in adapters]

    def straight(self, x: torch.Tensor) -> torch.Tensor:
        """Row by row from the codes."""
        y = x.new_empty((len(x), self.out_features))
        for (start, end), part in zip(self.places(), self.parts, strict=True):
            served = None
            if part.adapter is not None and len(part.adapter.a) <= MOST_RANK:
                served = part.adapter.served(x.dtype)
            of_part = part.matrix.matmul(x, out=y[:, start:end], adapter=served)
            if part.bias is not None:
                of_part += part.bias
            if part.adapter is not None and served is None:
                a, b, scale = part.adapter.a, part.adapter.b, part.adapter.scale
                of_part.addmm_(x @ a.to(x.dtype).T, b.to(x.dtype).T, alpha=scale)
        return y

    def through_copy(self, x: torch.Tensor) -> torch.Tensor:
        """All rows at once, with the weights dequantised."""
        if len(self.chunks) == 1:
            y = torch.nn.functional.linear(x, self.dequantised(x.dtype), self.bias())
        else:
            y = x.new_empty((len(x), self.out_features))
            for (start, end), some in self.chunks:
                copy = some.dequantised(x.dtype)
                y[:, start:end] = torch.nn.functional.linear(x, copy, some.bias())
        return self.beside(y, x) if self.factors else y

    def gradient(self, dy: torch.Tensor) -> torch.Tensor:
        """dy W: (rows, in_features)."""
        dx: torch.Tensor | None = None
        for (start, end), some in self.chunks:
            copy = some.dequantised(dy.dtype)
            dx = dy[:, start:end] @ copy if dx is None else dx.addmm_(dy[:, start:end], copy)
        assert dx is not None
        return dx

    @cached_property
    def chunks(self) -> list[tuple[tuple[int, int], "_Layers"]]:
        """Columns and parts that are dequantised together: all, or as many as the room holds."""
        most = ROOM_WEIGHTS // self.parts[0].matrix.in_features
        if self.out_features <= most:
            return [((0, self.out_features), self)]
        return [
            (place, _Layers([Part(part.matrix, part.bias)]))
            for place, part in zip(self.places(), self.parts, strict=True)
        ]

    def bias(self) -> torch.Tensor | None:
        """(all out_features)"""
        biases = [part.bias for part in self.parts if part.bias is not None]
        return torch.cat(biases) if len(biases) > 1 else biases[0] if biases else None

    def beside(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Add the adapters' parts to y, in place."""
        return y.addmm_(x @ self.all_a(x.dtype).T, self.all_b(x.dtype).T)

    def all_a(self, dtype: torch.dtype) -> torch.Tensor:
        """(all ranks, in_features)"""
        downs = self.factors[::2]
        return downs[0].to(dtype) if len(downs) == 1 else torch.cat(downs).to(dtype)

    def all_b(self, dtype: torch.dtype) -> torch.Tensor:
        """(all out_features, all ranks), scaled; each part reads its own ranks only."""
        ups = self.factors[1::2]
        if len(ups) == 1:
            return (ups[0] * self.scales[0]).to(dtype)
        b = ups[0].new_zeros((self.out_features, sum(up.shape[1] for up in ups)), dtype=dtype)
        for (start, end), (low, high), up, scale in zip(
            self.places(), self.ranks(), ups, self.scales, strict=True
        ):
            torch.mul(up, scale, out=b[start:end, low:high])
        return b

    def places(self) -> list[tuple[int, int]]:
        """First and last column of each part in y."""
        return _stretches(part.matrix.out_features for part in self.parts)

    def ranks(self) -> list[tuple[int, int]]:
        """First and last row of each part in the joined A."""
        return _stretches(a.shape[0] for a in self.factors[::2])

    def dequantised(self, dtype: torch.dtype) -> torch.Tensor:
        """All weights, (all out_features, in_features), until the next call of this thread.

        One room, as large as the largest product, serves all layers in turn.
        """
        width = self.parts[0].matrix.in_features
        room: torch.Tensor | None = getattr(_workspace, "room", None)
        if room is None or room.numel() < self.out_features * width or room.dtype != dtype:
            room = torch.empty(self.out_features * width, dtype=dtype)
            _workspace.room = room
        for (start, end), part in zip(self.places(), self.parts, strict=True):
            part.matrix.dequantise(dtype, out=room[start * width : end * width])
        return room[: self.out_features * width].view(self.out_features, width)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layers: _Layers, *factors: torch.Tensor) -> torch.Tensor:
        ctx.layers = layers
        ctx.save_for_backward(x, *factors)
        return layers.through_copy(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (dy,) = gradients
        x, *factors = ctx.saved_tensors
        layers: _Layers = ctx.layers
        dx = layers.gradient(dy) if ctx.needs_input_grad[0] else None
        if not factors:
            return dx, None
        a = layers.all_a(dy.dtype)
        through_b = dy @ layers.all_b(dy.dtype)  # (rows, all ranks)
        if dx is not None:
            dx.addmm_(through_b, a)
        if not any(ctx.needs_input_grad[2:]):
            return dx, None, *(None for _ in factors)
        da = through_b.T @ x
        low = x @ a.T  # (rows, all ranks)
        found: list[torch.Tensor] = []
        for (start, end), (first, last), scale, (down, up) in zip(
            layers.places(), layers.ranks(), layers.scales,
            zip(factors[::2], factors[1::2], strict=True), strict=True,
        ):  # fmt: skip
            db = dy[:, start:end].T @ low[:, first:last]
            found += [da[first:last].to(down.dtype), db.to(up.dtype).mul_(scale)]
        return dx, None, *found


def _stretches(sizes: Any) -> list[tuple[int, int]]:
    found, start = [], 0
    for size in sizes:
        found.append((start, start + size))
        start += size
    return found
