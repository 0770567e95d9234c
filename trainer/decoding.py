"""Rows of tokens through the model, one after the other: `prefill(rows)` and `step(tokens)`.

A decoder owns the keys and values of its rows; nothing else keeps them. It belongs to one
adapter for its whole life, since keys made with another would be wrong. It leaves the model's
mode and gradients as it found them, so that it can be used between the layers of a training
step. Knows nothing of text or sampling. On the CPU the pass is ours, elsewhere transformers'.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch

from trainer.attention import Heads, attend, rotate
from trainer.border import OPEN, Border
from trainer.forward import BlockGeometry, rotary, run_blocks
from trainer.kv_cache import KvCache
from trainer.nf4 import attend_few, dense_few
from trainer.stock_models import DynamicCache, PreTrainedModel

QUERIES_AT_ONCE = 512  # of a prompt, so that scores stay small

Activate = Callable[[], AbstractContextManager[Any]]
"""Makes one adapter (or none) the active one while a pass runs."""


class Decoder:
    """Several rows that are decoded together.

    Args:
        model: the base's, adapters around its layers or not.
        activate: entered around every pass.
        expected_tokens: that a row will have at least; memory for them is taken at once.
        border: where a pass may be dropped, on the CPU; the same pass can then be tried again.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        activate: Activate = nullcontext,
        expected_tokens: int = 0,
        border: Border = OPEN,
    ) -> None:
        self._model = model
        self._activate = activate
        ours = model.device.type == "cpu"
        self._pass: _Pass = _OurPass(model, expected_tokens, border) if ours else _TheirPass(model)
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
        self._padding = self._padding[torch.tensor(rows, dtype=torch.int64)]
        self._pass.keep(rows)

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        with evaluating(self._model), self._activate():
            states = self._pass.states(ids, self._padding)  # (rows, hidden)
            logits = self._logits(states)
        self.length += ids.shape[1]
        return logits

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        """(rows, hidden) to (rows, vocabulary) fp32."""
        head = self._model.get_output_embeddings()
        found = dense_few(states, head.weight) if states.device.type == "cpu" else None
        logits: torch.Tensor = head(states).float() if found is None else found
        return logits


class _Pass(Protocol):
    """Tokens (rows, new) behind those that came before, to the last ones' states."""

    def states(self, ids: torch.Tensor, padding: torch.Tensor) -> torch.Tensor: ...

    def keep(self, rows: Sequence[int]) -> None: ...


class _OurPass:
    def __init__(self, model: PreTrainedModel, expected_tokens: int, border: Border) -> None:
        self._model = model
        self._border = border
        self._geometry = BlockGeometry.of(model.config)
        heads = self._geometry.heads
        dtype = model.get_input_embeddings().weight.dtype
        assert isinstance(dtype, torch.dtype)
        self._cache = KvCache(
            len(self._geometry.windows), heads.keys, heads.size, dtype, expected=expected_tokens
        )

    def keep(self, rows: Sequence[int]) -> None:
        self._cache.keep(rows)

    def states(self, ids: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        rows, new = ids.shape
        start = self._cache.length
        self._cache.make_room(rows, new)
        h = self._model.get_input_embeddings()(ids.reshape(-1))  # (rows * new, hidden)
        places = torch.arange(start, start + new)
        own = (places - padding[:, None]).clamp(min=0)  # (rows, new)
        cos, sin = rotary(self._model, own.view(1, -1), h.dtype)
        seen = _Seen(places, padding, h.dtype)

        def attention(qkv: torch.Tensor, block: int) -> torch.Tensor:
            return self._attention(qkv, block, rows, cos, sin, seen)

        last = torch.arange(new - 1, rows * new, new) if new > 1 else None
        states = run_blocks(self._model, h, self._geometry, attention, self._border, only=last)
        self._cache.advance(new)
        return states

    def _attention(
        self,
        qkv: torch.Tensor,
        block: int,
        rows: int,
        cos: torch.Tensor,
        sin: torch.Tensor,
        seen: "_Seen",
    ) -> torch.Tensor:
        heads = self._geometry.heads
        window = self._geometry.windows[block]
        by_head = qkv.view(len(qkv), -1, heads.size)
        rotated = heads.queries + heads.keys
        turned = torch.empty_like(by_head[:, :rotated])
        rotate(by_head[:, :rotated], cos, sin, turned)
        q = turned[:, : heads.queries].view(rows, -1, heads.keys, heads.group, heads.size)
        k = turned[:, heads.queries :].view(rows, -1, heads.keys, heads.size).transpose(1, 2)
        v = by_head[:, rotated:].view(rows, -1, heads.keys, heads.size).transpose(1, 2)
        k, v = self._cache.append(block, k, v)
        new, length = q.shape[1], k.shape[2]
        if new == 1:
            found = attend_few(q[:, 0], k, v, seen.first(length, window), heads.scale)
            if found is not None:
                return found.view(rows, -1)
        out = qkv.new_empty((rows, new, heads.keys, heads.group, heads.size))
        for first in range(0, new, QUERIES_AT_ONCE):
            last = min(first + QUERIES_AT_ONCE, new)
            high = length - new + last
            low = 0 if window is None else max(0, length - new + first - window + 1)
            some = q[:, first:last].permute(0, 2, 3, 1, 4)  # (rows, keys, group, queries, size)
            found = attend(
                some.reshape(rows * heads.keys, -1, heads.size),
                k[:, :, low:high].flatten(0, 1),
                v[:, :, low:high].flatten(0, 1),
                seen.bias(first, last, low, high, window, heads),
                heads.scale,
            )
            found = found.view(rows, heads.keys, heads.group, last - first, heads.size)
            out[:, first:last] = found.permute(0, 3, 1, 2, 4)
        return out.view(len(qkv), -1)


class _Seen:
    """Which keys the new tokens may see, as what is added to their scores; made once a pass."""

    def __init__(self, places: torch.Tensor, padding: torch.Tensor, dtype: torch.dtype) -> None:
        self._places, self._padding, self._dtype = places, padding, dtype
        self._padded = bool(padding.any())
        self._made: dict[tuple[int, int, int, int], torch.Tensor | None] = {}

    def first(self, length: int, window: int | None) -> torch.Tensor:
        """The first key that a single new token of each row sees: (rows,) int64."""
        return self._padding if window is None else self._padding.clamp(min=length - window)

    def bias(
        self, first: int, last: int, low: int, high: int, window: int | None, heads: Heads
    ) -> torch.Tensor | None:
        """(rows * key heads, group * queries, keys) for queries first ... last and keys low ...
        high; None where all are seen."""
        key = (first, last, low, high)
        if key not in self._made:
            self._made[key] = self._make(first, last, low, high, window, heads)
        return self._made[key]

    def _make(
        self, first: int, last: int, low: int, high: int, window: int | None, heads: Heads
    ) -> torch.Tensor | None:
        if last - first == 1 and not self._padded:
            return None  # `low` has left out what is beyond the window
        query, key = self._places[first:last, None], torch.arange(low, high)[None]
        allowed = key <= query
        if window is not None:
            allowed &= key > query - window
        # what stands before a row sees itself, so that no softmax is over nothing
        allowed = allowed & ((key >= self._padding[:, None, None]) | (key == query))
        bias = torch.zeros(allowed.shape, dtype=self._dtype).masked_fill_(~allowed, -torch.inf)
        rows = len(self._padding)
        shape = (rows, heads.keys, heads.group, *bias.shape[1:])
        if rows == 1:
            return bias.repeat(1, heads.group, 1)
        return bias[:, None, None].expand(shape).reshape(rows * heads.keys, -1, high - low)


class _TheirPass:
    """transformers' own, with its cache."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._cache = DynamicCache(config=model.config)
        self._length = 0

    def keep(self, rows: Sequence[int]) -> None:
        places = torch.tensor(rows, dtype=torch.int64)
        self._cache.batch_select_indices(places.to(self._model.device))

    def states(self, ids: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        device = self._model.device
        end = self._length + ids.shape[1]
        extra: dict[str, torch.Tensor] = {}
        if padding.any():  # without padding the model's own causal masks are faster
            places = torch.arange(end)  # (end,)
            extra["attention_mask"] = (places >= padding[:, None]).long().to(device)
            own = (places[self._length :] - padding[:, None]).clamp(min=0)
            extra["position_ids"] = own.to(device)  # (rows, new)
        found = self._model.get_decoder()(
            input_ids=ids.to(device), past_key_values=self._cache, use_cache=True, **extra
        )
        self._length = end
        states: torch.Tensor = found.last_hidden_state[:, -1]
        return states


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
