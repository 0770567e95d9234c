"""`bench kernels`: single products against bitsandbytes and against what memory can give."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from trainer.base_model import best_compute_dtype
from trainer.bench.errors import SidesDisagree
from trainer.bench.geometry import Geometry
from trainer.bench.kernel_ways import (
    OURS,
    PLAIN,
    REPACKED,
    Product,
    dequantised_by_stock,
    differences,
    make_block,
    make_product,
    rows_through,
)
from trainer.bench.limits import forward_matmul_seconds, read_bytes_per_second
from trainer.bench.machine import machine_facts
from trainer.bench.report import Report, Row
from trainer.bench.timing import medians, timed

Say = Callable[[str], None]

FEW_ROWS, MANY_ROWS = (1, 4, 8, 16), (64, 512)
IN_TURN = 12  # matrices, together larger than every cache
TOLERANCE = 0.02  # bf16 rounding; repacking also rounds the constants to bf16
MS = 1e3


def bench_kernels(geometry: Geometry, *, rounds: int, say: Say) -> Report:
    """All kernels on the matrices of a geometry.

    Args:
        geometry: its layers are what one token goes through in the last row.

    Raises:
        SidesDisagree
    """
    machine = machine_facts()
    dtype = best_compute_dtype(torch.device("cpu"))
    rng = np.random.Generator(np.random.SFC64(0))
    bandwidth = read_bytes_per_second()
    say("making matrices")
    widest = geometry.linears["gate_proj"]
    some = [make_product([widest], rng, dtype) for _ in range(IN_TURN)]
    rows = [_dequantising(some[0], dtype, rounds, say)]
    for count in FEW_ROWS:
        name = f"{count} row{'s' * (count > 1)} through {IN_TURN} of {widest[0]} x {widest[1]}"
        rows += _products(name, some, count, dtype, rounds, _read_ms(some, bandwidth), say)
    del some
    block = make_block(geometry, rng, dtype)
    for count in MANY_ROWS:
        limit = forward_matmul_seconds(geometry.with_layers(1), count) * MS
        name = f"{count} rows through the matrices of a block"
        rows += _products(name, block, count, dtype, rounds, (limit, "bare products"), say)
    say(f"making all matrices of {geometry.name}")
    for _ in range(geometry.layers - 1):
        block += make_block(geometry, rng, dtype)
    name = f"1 row through all matrices of {geometry.layers} blocks"
    rows += _products(name, block, 1, dtype, rounds, _read_ms(block, bandwidth), say)
    return Report(title=f"kernels of {geometry.name}", machine=machine, rows=rows)


def _dequantising(product: Product, dtype: torch.dtype, rounds: int, say: Say) -> Row:
    matrix = product.ours[0].matrix
    room = torch.empty(matrix.out_features, matrix.in_features, dtype=dtype)
    if not torch.equal(matrix.dequantise(dtype), dequantised_by_stock(product)):
        raise SidesDisagree("a dequantised matrix", "at least one bit")
    name = f"dequantise {matrix.out_features} x {matrix.in_features} to {str(dtype)[6:]}"
    say(name)
    found = medians(
        {
            OURS: timed(lambda: matrix.dequantise(dtype, out=room.view(-1))),
            PLAIN: timed(lambda: dequantised_by_stock(product)),
            "write": timed(lambda: room.fill_(1.0)),
        },
        rounds=rounds,
    )
    return Row(
        name=name, unit="ms", ours=found[OURS] * MS, stock=found[PLAIN] * MS,
        limit=found["write"] * MS, limit_is="filling the result", difference=0.0,
        note="bit by bit equal",
    )  # fmt: skip


def _products(
    name: str,
    products: Sequence[Product],
    rows: int,
    dtype: torch.dtype,
    rounds: int,
    limit: tuple[float, str],
    say: Say,
) -> list[Row]:
    """One row against each mode."""
    apart = differences(products[0], rows, dtype)
    if not max(apart.values()) <= TOLERANCE:
        raise SidesDisagree("a product", f"{max(apart.values()):.1%}")
    say(name)
    found = medians(rows_through(products, rows, dtype), rounds=rounds)
    return [
        Row(
            name=name, unit="ms", ours=found[OURS] * MS, stock=found[mode] * MS, limit=limit[0],
            limit_is=limit[1], difference=apart[mode], note=f"bitsandbytes in {mode}",
        )
        for mode in (REPACKED, PLAIN)
    ]  # fmt: skip


def _read_ms(products: Sequence[Product], bandwidth: float) -> tuple[float, str]:
    """Reading all of it once."""
    return sum(one.stored_bytes for one in products) / bandwidth * MS, "a plain read of memory"
