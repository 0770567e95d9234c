"""What we use of bitsandbytes."""

from trainer.lean_imports import lean_imports

with lean_imports():
    from bitsandbytes.functional import QuantState, dequantize_4bit, get_4bit_type, quantize_4bit
    from bitsandbytes.nn.modules import Linear4bit, Params4bit
    from bitsandbytes.optim.adamw import PagedAdamW32bit

__all__ = [
    "Linear4bit",
    "PagedAdamW32bit",
    "Params4bit",
    "QuantState",
    "dequantize_4bit",
    "get_4bit_type",
    "quantize_4bit",
]
