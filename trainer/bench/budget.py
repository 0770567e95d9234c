"""How much memory a bench takes, so that it is refused before it begins, with what would fit. Pure.

What a token keeps in a block was counted on our pass (the inputs of its products and of what
stands between them) and measured on the stock one, at 2 and 6 blocks of the 1b geometry.
"""

from collections.abc import Callable

from trainer.bench.adapter_values import RANK
from trainer.bench.errors import MemoryTooSmall
from trainer.bench.geometry import GEOMETRIES, Geometry, nf4_bytes
from trainer.memory_terms import Adapted, border_token_bytes, kept_token_bytes

PROCESS_BYTES = 700_000_000  # Python, torch and its libraries, and what a run leaves behind
STOCK_KEEPS = 2.1  # times as much as ours
ADAPTER_COPIES = 5  # fp32: itself, its gradients twice, two moments
LOGITS_COPIES = 4  # fp32: themselves, log-softmax, gradients
Q4_0_BITS = 4.5


def training_bytes(geometry: Geometry, tokens: int, *, checkpointed: bool) -> int:
    """Both sides' processes, of which one computes while the other one waits."""
    adapted = Adapted(geometry=geometry.plain, rank=RANK)
    adapter = adapted.adapter_bytes
    blocks = 1 if checkpointed else geometry.layers
    at_borders = border_token_bytes(adapted) * geometry.layers if checkpointed else 0
    activations = int(STOCK_KEEPS * kept_token_bytes(adapted) * blocks + at_borders) * tokens
    logits = 4 * geometry.vocabulary * tokens * LOGITS_COPIES
    return (
        geometry.base_bytes + 2 * PROCESS_BYTES + (2 + ADAPTER_COPIES) * adapter
        + activations + logits
    )  # fmt: skip


def decoding_bytes(geometry: Geometry, *, llama: bool) -> int:
    """Three or four processes: one base for ours and stock, a repacked copy, llama.cpp's two."""
    codes = nf4_bytes(geometry.layers * geometry.block_weights)
    q4_0 = int(geometry.weights * Q4_0_BITS / 8)
    sides = 3 + llama
    return geometry.base_bytes + codes + llama * 2 * q4_0 + sides * PROCESS_BYTES


def kernel_bytes(geometry: Geometry) -> int:
    """All matrices, and bitsandbytes' repacked copy of them."""
    codes = nf4_bytes(geometry.layers * geometry.block_weights)
    return 2 * codes + PROCESS_BYTES + codes // geometry.layers * 2


def require(available: int | None, geometry: Geometry, needed: Callable[[Geometry], int]) -> None:
    """Raises:
    MemoryTooSmall: less is free than the bench of this geometry needs; says what would fit.
    """
    if available is None or needed(geometry) <= available:
        return
    raise MemoryTooSmall(
        f"{needed(geometry) / 1e9:.1f}", f"{available / 1e9:.1f}",
        _what_fits(available, geometry, needed),
    )  # fmt: skip


def _what_fits(available: int, geometry: Geometry, needed: Callable[[Geometry], int]) -> str:
    layers = next(
        (count for count in range(geometry.layers - 1, 0, -1)
         if needed(geometry.with_layers(count)) <= available),
        0,
    )  # fmt: skip
    others = [
        one.name for one in GEOMETRIES.values()
        if one.name != geometry.name and one.weights < geometry.weights
        and needed(one) <= available
    ]  # fmt: skip
    ways = [f"--geometry {others[-1]}"] if others else []
    ways += [f"--layers {layers}"] if layers else []
    return f"{' or '.join(ways)} would fit" if ways else "close other programs and try again"
