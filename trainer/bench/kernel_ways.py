"""Our 4-bit matrices beside bitsandbytes' in its two modes, and rows of x through all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn.modules import Linear4bit

from trainer.bench.geometry import Geometry, nf4_bytes
from trainer.bench.random_base import random_linear
from trainer.bench.stock_model import stock_linear
from trainer.bench.timing import Timed, timed
from trainer.nf4_function import Part, linear
from trainer.nf4_linear import LinearShape, Nf4Linear, nf4_linear

CPU = torch.device("cpu")
OURS, PLAIN, REPACKED = "ours", "train mode", "eval mode"
JOINED = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Matrices that read one input, in the hands of each of the three."""

    ours: list[Part]
    plain: list[Linear4bit]  # dequantises at every call; reads the same codes as ours
    repacked: list[Linear4bit]  # a copy of its own, rearranged at its first call

    @property
    def in_features(self) -> int:
        return self.ours[0].matrix.in_features

    @property
    def stored_bytes(self) -> int:
        """Codes and constants."""
        return sum(nf4_bytes(p.matrix.out_features * p.matrix.in_features) for p in self.ours)


def make_product(
    shapes: Sequence[tuple[int, int]], rng: np.random.Generator, dtype: torch.dtype
) -> Product:
    """Random matrices of (out_features, in_features)."""
    product = Product(ours=[], plain=[], repacked=[])
    for out_features, in_features in shapes:
        shape = LinearShape(out_features=out_features, in_features=in_features)
        stored = random_linear(shape, rng)
        layer = nf4_linear(stored, shape, bias=None, compute_dtype=dtype, device=CPU)
        assert isinstance(layer, Nf4Linear)
        product.ours.append(Part(layer.matrix))
        plain = stock_linear(stored, shape, dtype)
        plain.support_avx512bf16_for_cpu = False
        product.plain.append(plain)
        repacked = stock_linear(stored, shape, dtype).eval()
        with torch.no_grad():
            repacked(torch.zeros(1, in_features, dtype=dtype))
        product.repacked.append(repacked)
    return product


def make_block(geometry: Geometry, rng: np.random.Generator, dtype: torch.dtype) -> list[Product]:
    """The linear layers of one block, joined as our pass joins them."""
    shapes = geometry.linears
    return [make_product([shapes[name] for name in names], rng, dtype) for names in JOINED]


def rows_through(products: Sequence[Product], rows: int, dtype: torch.dtype) -> dict[str, Timed]:
    """Each way of multiplying `rows` rows with all matrices in turn, without gradients."""
    widths = {product.in_features for product in products}
    inputs = {width: torch.randn(rows, width).to(dtype) for width in widths}

    def ours() -> None:
        for product in products:
            linear(inputs[product.in_features], *product.ours)

    def theirs(kind: str) -> None:
        for product in products:
            for layer in getattr(product, kind):
                layer(inputs[product.in_features])

    ways: dict[str, Callable[[], None]] = {
        OURS: ours,
        PLAIN: partial(theirs, "plain"),
        REPACKED: partial(theirs, "repacked"),
    }
    return {name: timed(_without_gradients(way)) for name, way in ways.items()}


def _without_gradients(work: Callable[[], None]) -> Callable[[], None]:
    def quietly() -> None:
        with torch.no_grad():
            work()

    return quietly


def differences(product: Product, rows: int, dtype: torch.dtype) -> dict[str, float]:
    """How far our result lies from each of theirs, relative to its size."""
    x = torch.randn(rows, product.in_features).to(dtype)
    with torch.no_grad():
        ours = linear(x, *product.ours).float()
        found = {}
        for name, layers in ((PLAIN, product.plain), (REPACKED, product.repacked)):
            theirs = torch.cat([layer(x) for layer in layers], dim=-1).float()
            found[name] = float((ours - theirs).norm() / theirs.norm())
    return found


def dequantised_by_stock(product: Product) -> torch.Tensor:
    """The first matrix."""
    stored: Any = product.plain[0].weight
    weight: torch.Tensor = dequantize_4bit(stored, stored.quant_state)
    return weight
