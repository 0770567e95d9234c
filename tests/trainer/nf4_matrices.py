"""NF4 matrices made in 4 bits, and what bitsandbytes and the plain formula make of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from bitsandbytes.functional import (
    QuantState,
    create_dynamic_map,
    dequantize_4bit,
    get_4bit_type,
)

from trainer.nf4 import Nf4Matrix

BLOCK, CONSTANTS_BLOCK = 64, 256
VALUES: torch.Tensor = get_4bit_type("nf4", device="cpu")  # (16) fp32
Bits = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """One matrix as it is stored. Blocks run over the ends of rows."""

    out_features: int
    in_features: int
    parts: dict[str, torch.Tensor]
    nested_offset: float = 0.0

    @property
    def count(self) -> int:
        return self.out_features * self.in_features

    @property
    def ours(self) -> Nf4Matrix:
        return Nf4Matrix(
            self.parts, out_features=self.out_features, in_features=self.in_features,
            nested_offset=self.nested_offset,
        )  # fmt: skip

    def theirs(self, dtype: torch.dtype) -> torch.Tensor:
        """By `bitsandbytes.functional.dequantize_4bit`: (out_features, in_features).

        As one row, since bitsandbytes on the CPU is wrong where blocks do not end with rows; and
        never compiled, which it tries for odd counts.
        """
        state = QuantState(
            absmax=self.parts["absmax"].clone(), shape=torch.Size((1, self.count)), code=VALUES,
            blocksize=BLOCK, quant_type="nf4", dtype=dtype,
        )  # fmt: skip
        if "nested_absmax" in self.parts:
            state.nested, state.offset = True, torch.tensor(self.nested_offset)
            state.state2 = QuantState(
                absmax=self.parts["nested_absmax"], code=self.parts["nested_quant_map"],
                blocksize=CONSTANTS_BLOCK, dtype=torch.float32,
            )  # fmt: skip
        with torch.compiler.set_stance("force_eager"):
            found: torch.Tensor = dequantize_4bit(self.parts["weight"], state)
        return found.reshape(self.out_features, self.in_features)

    def by_formula(self, dtype: torch.dtype) -> Bits:
        """Bits of value times constant, rounded once to fp32 and, to nearest even, once to bf16."""
        packed = self.parts["weight"].numpy().reshape(-1)
        codes = np.stack((packed >> 4, packed & 15), axis=1).reshape(-1)[: self.count]
        constants = np.repeat(self._constants(), BLOCK)[: self.count]
        exact: npt.NDArray[np.uint32] = (VALUES.numpy()[codes] * constants).view(np.uint32)
        if dtype == torch.float32:
            return exact
        rounded = exact.astype(np.uint64) + 0x7FFF + ((exact >> 16) & 1)
        return (rounded >> 16).astype(np.uint16)

    def _constants(self) -> npt.NDArray[np.float32]:
        """(blocks,)"""
        parts = {name: part.numpy() for name, part in self.parts.items()}
        found: npt.NDArray[np.float32] = parts["absmax"]
        if "nested_absmax" in parts:
            scales = np.repeat(parts["nested_absmax"], CONSTANTS_BLOCK)[: len(found)]
            scaled = parts["nested_quant_map"][found] * scales
            found = scaled + np.float32(self.nested_offset)
        return found


def matrix(
    out_features: int, in_features: int, *, double_quantised: bool = True, seed: int = 0
) -> Matrix:
    """Random codes; constants like those of a model's layer."""
    draw = torch.Generator().manual_seed(seed)
    blocks = -(-out_features * in_features // BLOCK)
    bytes_ = (-(-out_features * in_features // 2), 1)
    parts = {
        "weight": torch.randint(256, bytes_, generator=draw, dtype=torch.uint8),
        "quant_map": VALUES,
    }
    if not double_quantised:
        parts["absmax"] = torch.rand(blocks, generator=draw) * 0.1
        return Matrix(out_features=out_features, in_features=in_features, parts=parts)
    scales = -(-blocks // CONSTANTS_BLOCK)
    parts |= {
        "absmax": torch.randint(256, (blocks,), generator=draw, dtype=torch.uint8),
        "nested_quant_map": create_dynamic_map(),
        "nested_absmax": torch.rand(scales, generator=draw) * 0.02,
    }
    return Matrix(
        out_features=out_features, in_features=in_features, parts=parts, nested_offset=0.0371
    )


def with_constants(constants: torch.Tensor, codes: torch.Tensor | None = None) -> Matrix:
    """One row with these constants of its blocks: (blocks,) fp32. Without codes, each constant
    is that of all 256 bytes."""
    if codes is None:
        codes = torch.arange(256, dtype=torch.uint8).repeat(len(constants))
        constants = constants.repeat_interleave(512 // BLOCK)
    parts = {"weight": codes.reshape(-1, 1), "quant_map": VALUES, "absmax": constants}
    return Matrix(out_features=1, in_features=2 * len(codes), parts=parts)


def bits(tensor: torch.Tensor) -> Bits:
    """The bits of bf16 or fp32 numbers, flat: so that -0 is not 0, and nothing is nearly right."""
    words, kind = (
        (torch.int16, np.uint16) if tensor.dtype == torch.bfloat16 else (torch.int32, np.uint32)
    )
    found: Bits = tensor.detach().contiguous().view(words).numpy().reshape(-1).view(kind)
    return found


def products(
    weights: torch.Tensor, x: torch.Tensor, *, lanes: int = 16
) -> tuple[torch.Tensor, torch.Tensor]:
    """x W^T in fp64, and how far an honest kernel may be from it: both (rows, out_features).

    Sums in fp32 of n products in lanes round at most n / lanes times in each, 16 times over the
    lanes, and once or twice per product, each time by 2^-24 of at most the sum of magnitudes
    (Higham, Accuracy and Stability, 3.1); a result in bf16 rounds once more, by 2^-8 of itself.
    """
    w, wide = weights.double(), x.double()
    exact, magnitudes = wide @ w.T, wide.abs() @ w.abs().T
    summing = (w.shape[1] / lanes + 18) * 2**-24 * magnitudes
    rounding = 2**-8 if x.dtype == torch.bfloat16 else 2**-24
    return exact, summing + rounding * (exact.abs() + summing) + 1e-37


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside, torch and the kernels use so many."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
