"""The stock side of a decoding bench: transformers' forward with its cache, peft's adapter.

bitsandbytes has two modes on the CPU. Without repacking it dequantises a matrix for every call;
with it, on CPUs that have AVX512-BF16, the weights are rearranged in place at the first call.
"""

from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from trainer.bench.geometry import Geometry
from trainer.bench.rows import token_rows
from trainer.bench.side_loop import Operations
from trainer.bench.stock_model import forbid_repacking, stock
from trainer.bench.timing import seconds_of


class StockDecoding:
    """One model in one mode; each request is a conversation of its own."""

    def __init__(self, geometry: Geometry, file: int) -> None:
        self._geometry, self._file = geometry, file
        self._model: Any = None
        self.operations: Operations = {
            "load": self.load, "prefill": self.prefill, "decode": self.decode,
            "logits": self.logits,
        }  # fmt: skip

    def load(self, repack: bool) -> None:
        """The model in eval mode; the first pass repacks it, if that is wanted and known here."""
        self._model = stock(self._geometry, self._file, learned=True)
        if not repack:
            forbid_repacking(self._model)
        self._model.eval()

    def prefill(self, tokens: int) -> float:
        """Seconds until the first logits of a prompt."""
        ids = self._prompt(tokens)
        return seconds_of(lambda: self._pass(ids, self._cache()))

    def decode(self, context: int, steps: int) -> float:
        """Seconds per token behind a context."""
        cache = self._filled(context)
        token = torch.tensor([[1]])

        def work() -> None:
            for _ in range(steps):
                self._pass(token, cache)

        return seconds_of(work) / steps

    def logits(self, context: int) -> list[float]:
        """After the prompt and one token more: (vocabulary)."""
        found: list[float] = self._pass(torch.tensor([[1]]), self._filled(context))[0, -1].tolist()
        return found

    def _filled(self, context: int) -> DynamicCache:
        cache = self._cache()
        self._pass(self._prompt(context), cache)
        return cache

    def _pass(self, ids: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        """Logits after the last token, as `generate` asks for them."""
        with torch.no_grad():
            logits: torch.Tensor = self._model(
                input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1
            ).logits
        return logits.float()

    def _cache(self) -> DynamicCache:
        return DynamicCache(config=self._model.config)

    def _prompt(self, tokens: int) -> torch.Tensor:
        rows = token_rows(1, tokens, vocabulary=self._geometry.vocabulary)
        return torch.from_numpy(rows).long()
