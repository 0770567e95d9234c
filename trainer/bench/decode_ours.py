"""Our side of a decoding bench: the decoder that answers clients, with an adapter."""

from typing import Any

import torch

from trainer.bench.geometry import Geometry
from trainer.bench.limits import forward_matmul_seconds, read_bytes_per_second
from trainer.bench.machine import machine_facts
from trainer.bench.memory import mapped_bytes, proportional_bytes
from trainer.bench.ours_model import ADAPTER, ours, write_base
from trainer.bench.random_base import FILE_NAME
from trainer.bench.rows import token_rows
from trainer.bench.side_loop import Operations
from trainer.bench.timing import seconds_of
from trainer.decoding import Decoder
from trainer.generation import PREFILL_TOKENS
from trainer.lora import LoraBank
from trainer.stock_models import PreTrainedModel

Json = dict[str, Any]


class OursDecoding:
    """One model; each request is a conversation of its own."""

    def __init__(self, geometry: Geometry, file: int) -> None:
        self._geometry, self._file = geometry, file
        self._made: tuple[PreTrainedModel, LoraBank] | None = None
        self.operations: Operations = {
            "machine": machine_facts, "write": self.write, "load": self.load,
            "prefill": self.prefill, "decode": self.decode, "logits": self.logits,
            "serving": self.serving, "read_limit": read_bytes_per_second,
            "matmul_limit": self.matmul_limit,
        }  # fmt: skip

    def write(self) -> None:
        """Random weights into the file."""
        write_base(self._geometry, self._file)

    def load(self) -> None:
        self._made = ours(self._geometry, self._file, learned=True)

    def prefill(self, tokens: int) -> float:
        """Seconds until the first logits of a prompt."""
        decoder, prompt = self._decoder(tokens), self._prompt(tokens)
        return seconds_of(lambda: decoder.prefill([prompt]))

    def decode(self, context: int, steps: int) -> float:
        """Seconds per token behind a context."""
        decoder = self._filled(context)
        token = torch.tensor([1])

        def work() -> None:
            for _ in range(steps):
                decoder.step(token)

        return seconds_of(work) / steps

    def logits(self, context: int) -> list[float]:
        """After the prompt and one token more: (vocabulary)."""
        decoder = self._filled(context)
        found: list[float] = decoder.step(torch.tensor([1]))[0].tolist()
        return found

    def serving(self, context: int) -> Json:
        """What this process holds while it decodes at the end of a context."""
        decoder = self._filled(context)
        decoder.step(torch.tensor([1]))
        return {"all": proportional_bytes(), "base": mapped_bytes(FILE_NAME)}

    def matmul_limit(self, tokens: int) -> float:
        """Seconds that the bare products of a prompt take at best."""
        return forward_matmul_seconds(self._geometry, tokens)

    def _filled(self, context: int) -> Decoder:
        """A decoder behind a prompt that was read in pieces, as an answer reads it."""
        decoder, prompt = self._decoder(context), self._prompt(context)
        for start in range(0, context, PREFILL_TOKENS):
            decoder.prefill([prompt[start : start + PREFILL_TOKENS]])
        return decoder

    def _decoder(self, expected_tokens: int) -> Decoder:
        assert self._made is not None
        model, bank = self._made
        return Decoder(
            model, activate=lambda: bank.serving(ADAPTER), expected_tokens=expected_tokens
        )

    def _prompt(self, tokens: int) -> list[int]:
        rows = token_rows(1, tokens, vocabulary=self._geometry.vocabulary)
        prompt: list[int] = rows[0].tolist()
        return prompt
