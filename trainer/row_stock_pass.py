"""Rows that are answered at once on other devices than the CPU: transformers' pass, row by row.

Plain and right; nothing is shared between rows, and no beginning is kept. The same calls as
`row_pass.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from trainer.base_model import BaseModel
from trainer.decoding import Activate, evaluating
from trainer.forward import BlockGeometry
from trainer.nf4_function import Adapter
from trainer.row_cache import PagePool, RowCache
from trainer.served_adapters import LoadedAdapter
from trainer.stock_models import DynamicCache


class StockRow(RowCache):
    """Keys and values in a cache of transformers; it has no pages."""

    def __init__(self, pool: PagePool, config: Any) -> None:
        super().__init__(pool)
        self.stock = DynamicCache(config=config)

    def make_room(self, more: int) -> None:
        """It grows by itself."""

    def pages_for(self, more: int) -> int:
        """None of ours."""
        return 0


class StockRowPass:
    """The pass of one base.

    Args:
        without_adapters: entered around every pass; must switch adapters of training off.
    """

    shares = False

    def __init__(self, base: BaseModel, without_adapters: Activate = nullcontext) -> None:
        self._model, self._device = base.model, base.device
        self._without_adapters = without_adapters
        geometry = BlockGeometry.of(base.model.config)
        self.pool = PagePool(
            len(geometry.windows), geometry.heads.keys, geometry.heads.size, base.compute_dtype
        )

    def cache(self) -> StockRow:
        """Of a new row."""
        return StockRow(self.pool, self._model.config)

    def read(
        self, cache: RowCache, ids: Sequence[int], adapter: LoadedAdapter | None, *, last: bool
    ) -> torch.Tensor | None:
        """Append a chunk of a prompt: logits after it, (1, vocabulary) fp32, if it is the last."""
        assert isinstance(cache, StockRow)
        with evaluating(self._model), self._without_adapters(), _beside(adapter):
            found = self._model.get_decoder()(
                input_ids=torch.tensor([list(ids)], device=self._device),
                past_key_values=cache.stock, use_cache=True,
            )  # fmt: skip
            states = found.last_hidden_state[:, -1]
            logits = self._model.get_output_embeddings()(states).float() if last else None
        cache.length += len(ids)
        return logits

    def step(
        self,
        caches: Sequence[RowCache],
        tokens: Sequence[int],
        adapters: Sequence[LoadedAdapter | None],
    ) -> torch.Tensor:
        """Append one token to each row: logits after them, (rows, vocabulary) fp32."""
        found = [
            self.read(cache, [token], adapter, last=True)
            for cache, token, adapter in zip(caches, tokens, adapters, strict=True)
        ]
        return torch.cat([logits for logits in found if logits is not None])

    def forget(self) -> None:
        """Nothing is held."""


@contextmanager
def _beside(adapter: LoadedAdapter | None) -> Iterator[None]:
    """Inside, what the base's layers give has the adapter's part added."""
    handles = []
    for layer, factors in {} if adapter is None else adapter.layers.items():
        handles.append(layer.register_forward_hook(_adding(factors)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _adding(factors: Adapter) -> Any:
    def hook(layer: torch.nn.Module, inputs: tuple[torch.Tensor], y: torch.Tensor) -> torch.Tensor:
        a, b = factors.a.to(y.dtype), factors.b.to(y.dtype)
        return y + (inputs[0].to(y.dtype) @ a.T) @ b.T * factors.scale

    return hook
