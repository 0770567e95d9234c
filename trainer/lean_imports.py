"""Importing the stock libraries without what they bring for other kinds of use.

At their import, bitsandbytes asks torch to compile functions for devices that it has no kernels
for, and transformers wraps its own so that a compiler could take them, and prepares for models that
are spread over several machines. None of that is used here, and it costs every engine two seconds
and 110 MB.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import torch.distributed

COMPILER = "torch._dynamo"
LAUNCHED = "WORLD_SIZE"  # set by the launchers of torch and accelerate, for one of many processes


def _as_it_is(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
    """Of a decorator, with or without arguments."""
    return _as_it_is if function is None else function


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Inside, torch seems to have no compiler, and no other machines unless it was launched so.

    The libraries that are imported meanwhile go on without; afterwards torch is whole again.
    """
    with contextlib.ExitStack() as undo:
        undo.callback(setattr, torch, "compile", torch.compile)
        torch.compile = _as_it_is  # type: ignore[assignment]
        undo.enter_context(without_compiler())
        if LAUNCHED not in os.environ:
            spread = torch.distributed
            undo.callback(setattr, spread, "is_available", spread.is_available)
            spread.is_available = lambda: False
        yield


@contextlib.contextmanager
def without_compiler() -> Iterator[None]:
    """Inside, torch's compiler does nothing, unless it is loaded.

    Torch's optimizers and checkpoints load it at their first use, which takes two seconds, though
    nothing is compiled.
    """
    if COMPILER in sys.modules:
        yield
        return
    stand_ins = _no_compiler()
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _no_compiler() -> dict[str, ModuleType]:
    """Modules that leave every function as it is."""
    compiler = ModuleType(COMPILER)
    compiler.__path__ = []
    for name in ("disable", "allow_in_graph", "assume_constant_result", "mark_static_address"):
        setattr(compiler, name, _as_it_is)
    compiler.graph_break = lambda: None  # type: ignore[attr-defined]
    compiler.config = SimpleNamespace(error_on_nested_fx_trace=True)  # type: ignore[attr-defined]
    tracing = ModuleType(f"{COMPILER}._trace_wrapped_higher_order_op")
    tracing.TransformGetItemToIndex = contextlib.nullcontext  # type: ignore[attr-defined]
    return {module.__name__: module for module in (compiler, tracing)}
