"""The bytes behind each token, for the two families of tokenizers that our bases use.

Byte-level BPE (GPT-2, Llama 3, Qwen, ours) spells each byte as one printable character;
SentencePiece BPE (Llama 2, Mistral) writes spaces as U+2581 and lone bytes as `<0xE2>`.
Knows nothing of text: a character may be spread over several tokens.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer

LONE_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


def byte_of_character() -> dict[str, int]:
    """GPT-2's table: printable Latin-1 characters stand for themselves, the rest from U+0100 on.

    Source: `bytes_to_unicode` of https://github.com/openai/gpt-2/blob/master/src/encoder.py.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + index): byte for index, byte in enumerate(others)
    }


class TokenBytes:
    """Token id to bytes.

    Args:
        tokenizer: the base's; its decoder says which family it is of.
        literal: tokens that are written as they are, by id: the added ones.

    Raises:
        ValueError: neither family.
    """

    def __init__(self, tokenizer: Tokenizer, *, literal: Mapping[int, str]) -> None:
        self._tokenizer = tokenizer
        self._literal = literal
        steps = _steps(json.loads(tokenizer.decoder.__getstate__())) if tokenizer.decoder else []
        kinds = {step["type"] for step in steps}
        self._byte_level = "ByteLevel" in kinds
        if not (self._byte_level or "ByteFallback" in kinds):
            raise ValueError("a decoder of an unknown family")
        self._table = byte_of_character()
        self.drops_first_space = "Strip" in kinds
        self._known: dict[int, bytes] = {}

    def of(self, token: int) -> bytes:
        """The token's bytes; none for an id beyond the vocabulary."""
        if token not in self._known:
            self._known[token] = self._spell(token)
        return self._known[token]

    def _spell(self, token: int) -> bytes:
        if token in self._literal:
            return self._literal[token].encode()
        spelled = self._tokenizer.id_to_token(token)
        if spelled is None:
            return b""
        if self._byte_level:
            if all(character in self._table for character in spelled):
                return bytes(self._table[character] for character in spelled)
            return str(spelled).encode()
        if lone := LONE_BYTE.fullmatch(spelled):
            return bytes([int(lone[1], 16)])
        return str(spelled).replace("\u2581", " ").encode()


def _steps(decoder: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a decoder, a sequence laid flat."""
    if decoder["type"] == "Sequence":
        return [step for part in decoder["decoders"] for step in _steps(part)]
    return [decoder]
