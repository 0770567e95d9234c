"""Rows of tokens through the model, one after the other: `prefill(rows)` and `step(tokens)`.

A decoder owns the keys and values of its rows; nothing else keeps them. It belongs to one
adapter for its whole life, since keys made with another would be wrong. It leaves the model's
mode and gradients as it found them, so that it can be used between the layers of a training
step. Knows nothing of text or sampling.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer

ROOM_TOKENS = 256  # keys and values grow by at least this much

Activate = Callable[[], AbstractContextManager[Any]]
"""Makes one adapter (or none) the active one while a pass runs."""


class Decoder:
    """Several rows that are decoded together.

    Args:
        model: the base's, adapters around its layers or not.
        activate: entered around every pass.
    """

    def __init__(self, model: PreTrainedModel, *, activate: Activate = nullcontext) -> None:
        self._model = model
        self._activate = activate
        self._cache = _cache_for(model)
        self._padding = torch.zeros(0, dtype=torch.int64)  # (rows,) unused places before each row
        self.length = 0  # tokens in the longest row

    @property
    def rows(self) -> int:
        return len(self._padding)

    def prefill(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Append tokens to every row; the first call says how many rows there are.

        Later calls append equally many tokens to each row, so that a long prompt can be read in
        pieces; in the first call rows may have different lengths.

        Returns:
            Logits after each row's last token: (rows, vocabulary) fp32.
        """
        longest = max(map(len, rows))
        padding = torch.tensor([longest - len(row) for row in rows])
        if self.length == 0:
            self._padding = padding
        elif len(rows) != self.rows or padding.any():
            raise ValueError("later tokens must be equally many for each of the rows")
        ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        return self._forward(ids)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append one token to every row.

        Args:
            tokens: (rows,) int64.

        Returns:
            Logits after them: (rows, vocabulary) fp32.
        """
        return self._forward(tokens.reshape(-1, 1))

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, which move up in this order."""
        places = torch.tensor(rows, dtype=torch.int64)
        self._padding = self._padding[places]
        self._cache.batch_select_indices(places.to(self._model.device))

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        device = self._model.device
        end = self.length + ids.shape[1]
        extra: dict[str, torch.Tensor] = {}
        if self._padding.any():  # without padding the model's own causal masks are faster
            places = torch.arange(end)  # (end,)
            extra["attention_mask"] = (places >= self._padding[:, None]).long().to(device)
            own = (places[self.length :] - self._padding[:, None]).clamp(min=0)
            extra["position_ids"] = own.to(device)  # (rows, time)
        with evaluating(self._model), self._activate():
            logits = self._model(
                input_ids=ids.to(device), past_key_values=self._cache, use_cache=True,
                logits_to_keep=1, **extra,
            ).logits  # (rows, 1, vocabulary)  # fmt: skip
        self.length = end
        last: torch.Tensor = logits[:, -1].float()
        return last


class _GrowingLayer(DynamicLayer):
    """Keys and values of one layer in a room that grows by halves, so that a step copies little.

    transformers' own layer copies everything at every token.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None
        self._length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (rows, heads, new, head_dim) and return all: (rows, heads, length, head_dim)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self._length = self._length, self._length + key_states.shape[-2]
        if self._room is None or self._length > self._room[0].shape[-2]:
            size = max(self._length + ROOM_TOKENS, start * 3 // 2)
            self._room = (
                _grown(self.keys, key_states, size),
                _grown(self.values, key_states, size),
            )
        keys, values = self._room
        keys[..., start : self._length, :] = key_states
        values[..., start : self._length, :] = value_states
        self.keys = keys[..., : self._length, :]
        self.values = values[..., : self._length, :]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        if self._room is not None:
            keys, values = self._room
            self._room = (keys[indices], values[indices])
            self.keys = self._room[0][..., : self._length, :]
            self.values = self._room[1][..., : self._length, :]


def _grown(old: torch.Tensor | None, like: torch.Tensor, size: int) -> torch.Tensor:
    """An uninitialised (rows, heads, size, head_dim) that begins with what `old` holds."""
    room = like.new_empty((*like.shape[:2], size, like.shape[-1]))
    if old is not None and old.numel():
        room[..., : old.shape[-2], :] = old
    return room


def _cache_for(model: PreTrainedModel) -> DynamicCache:
    """A cache whose full-attention layers grow by rooms; sliding ones stay transformers' own."""
    cache = DynamicCache(config=model.config)
    cache.layers = [
        _GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Inside, the model is in eval mode without gradients; afterwards in the mode it was in."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            model.train()
