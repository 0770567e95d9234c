"""The recovery key as it is printed: 8 groups of 5 letters and digits, the last 6 a checksum.

168 random bits in the alphabet and with the BCH checksum of Bech32m (BIP 350): any four wrong
symbols are noticed, and so is any single group in the wrong place. Knows nothing of slots.
"""

import secrets
from dataclasses import dataclass, field

from storage.errors import RecoveryKeyMistyped

ENTROPY_BYTES = 21
_ALPHABET = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
_VALUE = {symbol: value for value, symbol in enumerate(_ALPHABET)}
# Read generously: these four are not in the alphabet because they look like others.
_LOOKALIKES = str.maketrans({"O": "0", "I": "L", "1": "L", "B": "8"})
_DATA_SYMBOLS = 34  # 170 bits: 168 of entropy and two zero bits
_CHECK_SYMBOLS = 6
_SYMBOLS = _DATA_SYMBOLS + _CHECK_SYMBOLS
_GROUP = 5
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32M = 0x2BC830A3
_PREFIX = "nightloom"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryKey:
    """What the printed key stands for."""

    entropy: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "RecoveryKey":
        return cls(entropy=secrets.token_bytes(ENTROPY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "RecoveryKey":
        """Read what a person typed: any case, spaces and dashes. Raises `RecoveryKeyMistyped`."""
        symbols = "".join(text.split()).replace("-", "").upper().translate(_LOOKALIKES)
        for position, symbol in enumerate(symbols):
            if symbol not in _VALUE:
                group = position // _GROUP + 1
                raise RecoveryKeyMistyped(problem=f"group {group} has a character it cannot have")
        if len(symbols) != _SYMBOLS:
            raise RecoveryKeyMistyped(
                problem=f"it has {len(symbols)} letters and digits where {_SYMBOLS} belong"
            )
        values = [_VALUE[symbol] for symbol in symbols]
        if _polymod(_prefix_values() + values) != _BECH32M:
            raise RecoveryKeyMistyped(problem="its checksum does not match")
        number = 0
        for value in values[:_DATA_SYMBOLS]:
            number = number << 5 | value
        if number & 3:
            raise RecoveryKeyMistyped(problem="its checksum does not match")
        return cls(entropy=(number >> 2).to_bytes(ENTROPY_BYTES, "big"))

    def printed(self) -> str:
        """`XXXXX-XXXXX-...`: what `parse` reads."""
        number = int.from_bytes(self.entropy, "big") << 2
        data = [number >> shift & 31 for shift in range(5 * (_DATA_SYMBOLS - 1), -1, -5)]
        remainder = _polymod(_prefix_values() + data + [0] * _CHECK_SYMBOLS) ^ _BECH32M
        check = [remainder >> shift & 31 for shift in range(5 * (_CHECK_SYMBOLS - 1), -1, -5)]
        symbols = "".join(_ALPHABET[value] for value in data + check)
        return "-".join(symbols[i : i + _GROUP] for i in range(0, _SYMBOLS, _GROUP))


def _prefix_values() -> list[int]:
    codes = _PREFIX.encode()
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: list[int]) -> int:
    """The checksum of BIP 173, as written there."""
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            state ^= generator if top >> bit & 1 else 0
    return state
