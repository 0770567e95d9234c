"""What the machine can do at best: the bare matrix products, and a plain read of memory.

Both with as many threads as everything else, in the same run.
"""

import statistics

import torch

from trainer.base_model import best_compute_dtype
from trainer.bench.geometry import Geometry
from trainer.bench.timing import seconds_of

READ_BYTES = 1 << 30  # far above every cache
REPETITIONS = 5


def training_matmul_seconds(geometry: Geometry, tokens: int) -> float:
    """Seconds of x W^T and dy W for every weight of the model: 4 flops a weight and token.

    The products are as large as ours, with queries, keys and values side by side, and gate and up.
    """
    return geometry.layers * sum(
        product_seconds(tokens, *shape, backward=True) for shape in joined(geometry)
    ) + product_seconds(tokens, geometry.vocabulary, geometry.hidden, backward=True)


def forward_matmul_seconds(geometry: Geometry, tokens: int) -> float:
    """Seconds of x W^T for every weight of the blocks."""
    return geometry.layers * sum(
        product_seconds(tokens, *shape, backward=False) for shape in joined(geometry)
    )


def joined(geometry: Geometry) -> list[tuple[int, int]]:
    """(out_features, in_features) of one block's products."""
    shapes = geometry.linears
    q, k, v, o, gate, up, down = shapes.values()
    return [(q[0] + k[0] + v[0], q[1]), o, (gate[0] + up[0], gate[1]), down]


def product_seconds(tokens: int, out_features: int, in_features: int, *, backward: bool) -> float:
    """Median seconds of one product of dense matrices, and of the one on the way back."""
    dtype = best_compute_dtype(torch.device("cpu"))
    x = torch.randn(tokens, in_features).to(dtype)
    weight = torch.randn(out_features, in_features).to(dtype)
    dy = torch.randn(tokens, out_features).to(dtype)

    def work() -> None:
        torch.nn.functional.linear(x, weight)
        if backward:
            torch.matmul(dy, weight)

    work()
    return statistics.median(seconds_of(work) for _ in range(REPETITIONS))


def read_bytes_per_second() -> float:
    """The best of several reads of a gibibyte."""
    memory = torch.ones(READ_BYTES // 8, dtype=torch.int64)
    return READ_BYTES / min(seconds_of(memory.sum) for _ in range(REPETITIONS))
