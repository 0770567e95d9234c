"""What we use of bitsandbytes, imported without torch's compiler.

bitsandbytes asks torch at its import to compile some functions for devices that it has no kernels
for. None of them is called here, and the compiler that is loaded for it takes a second and 42 MB
of every engine; bitsandbytes goes on without it.
"""

from collections.abc import Callable
from typing import Any

import torch


def _as_it_is(function: Callable[..., Any] | None = None, **_: Any) -> Callable[..., Any]:
    return _as_it_is if function is None else function


_compile = torch.compile
torch.compile = _as_it_is  # type: ignore[assignment]
try:
    from bitsandbytes.functional import QuantState, dequantize_4bit, get_4bit_type, quantize_4bit
    from bitsandbytes.nn.modules import Linear4bit, Params4bit
finally:
    torch.compile = _compile

__all__ = [
    "Linear4bit",
    "Params4bit",
    "QuantState",
    "dequantize_4bit",
    "get_4bit_type",
    "quantize_4bit",
]
