"""Rows that are answered at once, through the blocks of a base on the CPU: our own pass.

A prompt is read in chunks, one row at a time; a step takes one new token of each of up to 16 rows
and reads the weights once for all of them. Every row has its own adapter or none, and its own
pages of keys and values. What comes out of a row does not depend on which other rows are there: not
by a bit. Knows nothing of sampling, text or who asks. Other devices: `row_stock_pass.py`.
"""

from collections.abc import Sequence

import torch

from trainer.attention import Heads, attend, rotate
from trainer.base_model import BaseModel
from trainer.forward import BlockGeometry, rotary, run_blocks
from trainer.lora_linear import base_layer
from trainer.nf4 import MOST_RANK, MOST_ROWS, PagedRows, RowAdapters, attend_pages, dense_few
from trainer.nf4_function import Part, RowsPart, linear, linear_rows
from trainer.row_cache import PagePool, RowCache
from trainer.served_adapters import LoadedAdapter


class RowPass:
    """The pass of one base.

    Args:
        base: on the CPU. Adapters that training has put around its layers are passed by.
    """

    shares = True  # rows can take over each other's pages

    def __init__(self, base: BaseModel) -> None:
        self._model = base.model
        self._geometry = BlockGeometry.of(base.model.config)
        heads = self._geometry.heads
        self.pool = PagePool(
            len(self._geometry.windows), heads.keys, heads.size, base.compute_dtype
        )
        self._mixed: tuple[tuple[LoadedAdapter | None, ...], _Mixed] | None = None

    def cache(self) -> RowCache:
        """Of a new row."""
        return RowCache(self.pool)

    @torch.no_grad()
    def read(
        self, cache: RowCache, ids: Sequence[int], adapter: LoadedAdapter | None, *, last: bool
    ) -> torch.Tensor | None:
        """Append a chunk of a prompt to one row.

        Returns:
            Logits after it: (1, vocabulary) fp32; None unless they are wanted (`last`).
        """
        wanted, start = len(ids), cache.length
        new = _like_others(wanted)
        cache.make_room(new)
        ids = [*ids, *[0] * (new - wanted)]  # nothing sees them; written over later
        h = self._model.get_input_embeddings()(torch.tensor(ids))  # (new, hidden)
        cos, sin = rotary(self._model, torch.arange(start, start + new).view(1, -1), h.dtype)
        biases: dict[int | None, torch.Tensor | None] = {
            window: _bias(start, new, window, self._geometry.heads, h.dtype)
            for window in set(self._geometry.windows)
        }

        def attention(qkv: torch.Tensor, block: int) -> torch.Tensor:
            window = self._geometry.windows[block]
            turned = self._turned(qkv, cos, sin)
            return self._attend_chunk(turned, cache, block, biases[window])

        states = run_blocks(
            self._model, h, self._geometry, attention, only=torch.tensor([wanted - 1]),
            multiply=_OfOne(adapter),
        )  # fmt: skip
        cache.length += wanted
        return self._logits(states) if last else None

    @torch.no_grad()
    def step(
        self,
        caches: Sequence[RowCache],
        tokens: Sequence[int],
        adapters: Sequence[LoadedAdapter | None],
    ) -> torch.Tensor:
        """Append one token to each of up to `nf4.MOST_ROWS` rows.

        Args:
            adapters: of each row; best, rows that share one lie side by side.

        Returns:
            Logits after them: (rows, vocabulary) fp32.
        """
        for cache in caches:
            cache.make_room(1)
        h = self._model.get_input_embeddings()(torch.tensor(tokens))  # (rows, hidden)
        positions = torch.tensor([[cache.length for cache in caches]])
        cos, sin = rotary(self._model, positions, h.dtype)
        paged = PagedRows([cache.tensors for cache in caches], [one.length + 1 for one in caches])
        heads = self._geometry.heads

        def attention(qkv: torch.Tensor, block: int) -> torch.Tensor:
            window = self._geometry.windows[block]
            turned = self._turned(qkv, cos, sin)
            found = attend_pages(
                turned, paged, block=block, key_heads=heads.keys, group=heads.group,
                size=heads.size, window=window, scale=heads.scale,
            )  # fmt: skip
            if found is not None:
                return found
            return torch.cat(
                [
                    self._attend_chunk(turned[row : row + 1], cache, block, None)
                    for row, cache in enumerate(caches)
                ]
            )

        states = run_blocks(
            self._model, h, self._geometry, attention, multiply=self._of_each(tuple(adapters))
        )
        for cache in caches:
            cache.length += 1
        return self._logits(states)

    def forget(self) -> None:
        """Hold no adapter any longer than its rows do."""
        self._mixed = None

    def _of_each(self, adapters: tuple[LoadedAdapter | None, ...]) -> "_Mixed":
        if self._mixed is None or self._mixed[0] != adapters:
            self._mixed = (adapters, _Mixed(adapters))
        return self._mixed[1]

    def _turned(self, qkv: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """A copy with queries and keys rotated: (rows, heads * size)."""
        heads = self._geometry.heads
        by_head, rotated = qkv.view(len(qkv), -1, heads.size), heads.queries + heads.keys
        turned = torch.empty_like(by_head)
        rotate(by_head[:, :rotated], cos, sin, turned[:, :rotated])
        turned[:, rotated:] = by_head[:, rotated:]
        return turned.view(len(qkv), -1)

    def _attend_chunk(
        self, turned: torch.Tensor, cache: RowCache, block: int, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """New tokens of one row put into its pages; (new, ...) to (new, queries * size)."""
        heads, window = self._geometry.heads, self._geometry.windows[block]
        new, end = len(turned), cache.length + len(turned)
        by_head = turned.view(new, -1, heads.size)
        q, k, v = by_head.split([heads.queries, heads.keys, heads.keys], dim=1)
        cache.put(block, k.transpose(0, 1), v.transpose(0, 1))
        keys, values = cache.seen(block, _first_key(cache.length, window), end)
        q = q.view(new, heads.keys, heads.group, heads.size).permute(1, 2, 0, 3)
        found = attend(q.reshape(heads.keys, -1, heads.size), keys, values, bias, heads.scale)
        found = found.view(heads.keys, heads.group, new, heads.size)
        return found.permute(2, 0, 1, 3).reshape(new, -1)

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        """(rows, hidden) to (rows, vocabulary) fp32, each row for itself."""
        head = self._model.get_output_embeddings()
        found = dense_few(states, head.weight)
        if found is None:
            found = torch.cat([head(state[None]).float() for state in states])
        return found


def _like_others(new: int) -> int:
    """How many rows are computed for so many tokens: torch keeps most of a megabyte for each shape
    of a bf16 product for good, 430 MB for all lengths of a chunk with the built-in base.
    """
    return new if new <= MOST_ROWS else -(-new // MOST_ROWS) * MOST_ROWS


def _first_key(start: int, window: int | None) -> int:
    """The first key that the query at `start` sees."""
    return 0 if window is None else max(0, start - window + 1)


def _bias(
    start: int, new: int, window: int | None, heads: Heads, dtype: torch.dtype
) -> torch.Tensor | None:
    """(group * new, keys) added to scores of queries start ... start + new and the keys that
    any of them sees; None where all are seen."""
    if new == 1:
        return None
    query = torch.arange(start, start + new)[:, None]
    key = torch.arange(_first_key(start, window), start + new)[None]
    hidden = key > query
    if window is not None:
        hidden |= key <= query - window
    bias = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
    return bias.repeat(heads.group, 1)


class _OfOne:
    """Products of rows that all have the same adapter, or none."""

    def __init__(self, adapter: LoadedAdapter | None) -> None:
        self._adapter = adapter

    def __call__(self, x: torch.Tensor, layers: Sequence[torch.nn.Module]) -> torch.Tensor:
        parts = []
        for layer in map(base_layer, layers):
            factors = None if self._adapter is None else self._adapter.layers[layer]
            parts.append(Part(layer.matrix, layer.bias, factors))
        return linear(x, *parts)


class _Mixed:
    """Products of few rows with adapters of their own."""

    def __init__(self, adapters: tuple[LoadedAdapter | None, ...]) -> None:
        self._adapters = adapters
        self._parts: dict[torch.nn.Module, RowsPart] = {}

    def __call__(self, x: torch.Tensor, layers: Sequence[torch.nn.Module]) -> torch.Tensor:
        parts = []
        for layer in layers:
            part = self._parts.get(layer)
            if part is None:
                part = self._parts[layer] = self._part(layer, x.dtype)
            parts.append(part)
        return linear_rows(x, *parts)

    def _part(self, layer: torch.nn.Module, dtype: torch.dtype) -> RowsPart:
        base = base_layer(layer)
        factors = [None if one is None else one.layers[base] for one in self._adapters]
        small = [
            None if one is None or len(one.a) > MOST_RANK else one.served(dtype) for one in factors
        ]
        return RowsPart(
            base.matrix, base.bias,
            adapters=RowAdapters(small) if any(one is not None for one in small) else None,
            larger=[
                (row, one)
                for row, one in enumerate(factors)
                if one is not None and len(one.a) > MOST_RANK
            ],
        )  # fmt: skip
