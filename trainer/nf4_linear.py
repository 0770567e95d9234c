"""One 4-bit linear layer from its stored tensors: the only place where a layer's kind is chosen.

On the CPU it is ours, on other devices bitsandbytes' `Linear4bit`. What is stored is checked
first, because the kernels follow it without asking: a constant too few would make them read
beyond the tensor.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from trainer.nf4 import Nf4Matrix
from trainer.nf4_function import Adapter, Part, linear
from trainer.stock_kernels import (
    Linear4bit,
    Params4bit,
    dequantize_4bit,
    get_4bit_type,
    quantize_4bit,
)

BLOCK = 64  # weights per constant (QLoRA, section 3)
CONSTANTS_BLOCK = 256  # constants per constant of the second quantization
STATE = "weight.quant_state.bitsandbytes__nf4"
STATE_BYTES = 256  # the JSON of a state is padded with spaces, so that sizes are known beforehand


class MalformedLinear(Exception):  # noqa: N818 - becomes BaseDamaged with the file's name
    """The stored tensors are not an NF4 matrix of the expected shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearShape:
    """Geometry of one linear layer."""

    out_features: int
    in_features: int

    @property
    def supported(self) -> bool:
        """Whether blocks end where rows end; bitsandbytes on the CPU is wrong where they do not."""
        return self.in_features % BLOCK == 0

    @property
    def stored(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Dtype and shape of each stored tensor, under bitsandbytes' serialisation names."""
        weights = self.out_features * self.in_features
        constants = -(-weights // BLOCK)
        return {
            "weight": ("U8", (-(-weights // 2), 1)),
            "weight.absmax": ("U8", (constants,)),
            "weight.quant_map": ("F32", (16,)),
            "weight.nested_absmax": ("F32", (-(-constants // CONSTANTS_BLOCK),)),
            "weight.nested_quant_map": ("F32", (256,)),
            STATE: ("U8", (STATE_BYTES,)),
        }


def quantise_linear(weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """Quantise (out_features, in_features) to NF4 with double quantization.

    Returns:
        The stored tensors by name, as `LinearShape.stored` says.

    Raises:
        MalformedLinear: a weight is not a finite number.
    """
    packed, state = quantize_4bit(
        weight.float().contiguous(), blocksize=BLOCK, compress_statistics=True, quant_type="nf4"
    )
    if not (torch.isfinite(state.state2.absmax).all() and torch.isfinite(state.offset)):
        raise MalformedLinear
    state.dtype = torch.bfloat16  # what the layer computes in by default
    parts = state.as_dict(packed=True)
    stored = {"weight": packed} | {f"weight.{name}": part for name, part in parts.items()}
    blob = bytes(stored[STATE].tolist()).ljust(STATE_BYTES)
    stored[STATE] = torch.frombuffer(bytearray(blob), dtype=torch.uint8)
    return stored


class Nf4Linear(torch.nn.Module):
    """A frozen linear layer on the CPU that trains and serves from the one copy of its codes.

    Attributes:
        adapter: goes with all rows; see `active_adapter.py`.
    """

    def __init__(self, matrix: Nf4Matrix, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.matrix = matrix
        self.in_features, self.out_features = matrix.in_features, matrix.out_features
        self.weight = torch.nn.Parameter(matrix.codes, requires_grad=False)
        self.bias = None if bias is None else torch.nn.Parameter(bias, requires_grad=False)
        self.adapter: Adapter | None = None

    @property
    def part(self) -> Part:
        """The layer, for a product with others."""
        return Part(self.matrix, self.bias, self.adapter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in_features) to (..., out_features)."""
        return linear(x, self.part)


QUANTISED = (Nf4Linear, Linear4bit)  # what `nf4_linear` makes


def nf4_linear(
    stored: Mapping[str, torch.Tensor],
    shape: LinearShape,
    *,
    bias: torch.Tensor | None,
    compute_dtype: torch.dtype,
    device: torch.device,
) -> torch.nn.Module:
    """Build the layer around the stored tensors; on the CPU without copying them.

    Raises:
        MalformedLinear: they are not an NF4 matrix of this shape.
    """
    nested_offset = _check(stored, shape)
    parts = {name.removeprefix("weight."): part for name, part in stored.items()}
    if device.type != "cpu":
        return _bitsandbytes_linear(
            parts, shape, bias=bias, compute_dtype=compute_dtype, device=device
        )
    matrix = Nf4Matrix(
        parts, out_features=shape.out_features, in_features=shape.in_features,
        nested_offset=nested_offset,
    )  # fmt: skip
    return Nf4Linear(matrix, bias if bias is None else bias.to(compute_dtype))


def _bitsandbytes_linear(
    parts: dict[str, torch.Tensor],
    shape: LinearShape,
    *,
    bias: torch.Tensor | None,
    compute_dtype: torch.dtype,
    device: torch.device,
) -> Linear4bit:
    layer = Linear4bit(
        shape.in_features, shape.out_features, bias=bias is not None,
        compute_dtype=compute_dtype, quant_type="nf4", device="meta",
    )  # fmt: skip
    layer.weight = Params4bit.from_prequantized(
        data=parts.pop("weight"), quantized_stats=parts, device=device, module=layer
    )
    layer.weight.quant_state.dtype = compute_dtype
    if bias is not None:
        layer.bias = torch.nn.Parameter(bias.to(device, compute_dtype), requires_grad=False)
    return layer


def _check(stored: Mapping[str, torch.Tensor], shape: LinearShape) -> float:
    """Returns what is added to each quantised constant."""
    if not shape.supported:
        raise MalformedLinear
    dtypes = {"U8": torch.uint8, "F32": torch.float32}
    for name, (dtype, extents) in shape.stored.items():
        tensor = stored.get(name)
        if tensor is None or tensor.dtype != dtypes[dtype] or tuple(tensor.shape) != extents:
            raise MalformedLinear
    if not torch.equal(stored["weight.quant_map"].cpu(), get_4bit_type("nf4", device="cpu")):
        raise MalformedLinear
    for name in ("weight.nested_absmax", "weight.nested_quant_map"):
        if not torch.isfinite(stored[name]).all():
            raise MalformedLinear
    try:
        state = json.loads(bytes(stored[STATE].tolist()))
        wanted = {
            "quant_type": "nf4",
            "blocksize": BLOCK,
            "dtype": "bfloat16",
            "shape": [shape.out_features, shape.in_features],
            "nested_blocksize": CONSTANTS_BLOCK,
            "nested_dtype": "float32",
            "nested_offset": state["nested_offset"],
        }
        sound = state == wanted and math.isfinite(float(state["nested_offset"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedLinear from error
    if not sound:
        raise MalformedLinear
    return float(state["nested_offset"])


def dequantise(layer: torch.nn.Module) -> torch.Tensor:
    """The matrix that a layer of ours stands for: (out_features, in_features) fp32."""
    if isinstance(layer, Nf4Linear):
        return layer.matrix.dequantise(torch.float32)
    assert isinstance(layer, Linear4bit)
    matrix: torch.Tensor = dequantize_4bit(layer.weight, layer.quant_state)
    return matrix.float()
