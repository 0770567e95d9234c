"""`bench decode`: prompts and single tokens through a whole model with an adapter.

Ours against transformers' forward in bitsandbytes' two modes, of which each measure takes the
better one, and against llama.cpp with Q4_0 weights where llama-cpp-python is installed.
"""

import math
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from trainer.bench.errors import SidesDisagree
from trainer.bench.geometry import Geometry
from trainer.bench.gguf_file import write_gguf
from trainer.bench.random_base import nameless_file
from trainer.bench.report import Report, Row
from trainer.bench.side import side_words
from trainer.bench.sides import Side

Json = dict[str, Any]
Say = Callable[[str], None]

SERVING_CONTEXT = 2048
LOGITS_TOLERANCE = 0.1  # of their size; repacking alone rounds by 0.03 on small models
OURS, PLAIN, REPACKED, LLAMA = "ours", "without repacking", "repacked", "llama.cpp"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRun:
    """Prompts of `context` tokens, then `steps` tokens one by one behind them."""

    context: int
    steps: int
    rounds: int


def bench_decoding(
    geometry: Geometry, run: DecodeRun, *, llama_python: str | None, say: Say
) -> Report:
    """Ours against stock and, where it is there, against llama.cpp.

    Args:
        llama_python: an interpreter that has llama-cpp-python; None where there is none.

    Raises:
        SidesDisagree, SideDied, SideFailed
    """
    with ExitStack() as stack:
        file = stack.enter_context(nameless_file())

        def side(name: str, kind: str) -> Side:
            words = side_words(kind, geometry, file)
            return stack.enter_context(
                Side(name, "trainer.bench.side", words, files=(file,), as_engine=name == OURS)
            )

        sides = {OURS: side(OURS, "decode_ours")}
        say(f"making random weights ({geometry.base_bytes / 1e9:.1f} GB)")
        sides[OURS].ask("write")
        sides[OURS].ask("load")
        machine = sides[OURS].ask("machine")
        say("serving alone, for its memory")
        serving = sides[OURS].ask("serving", context=min(SERVING_CONTEXT, geometry.context_tokens))
        say("loading the stock models")
        sides |= {PLAIN: side(PLAIN, "decode_stock"), REPACKED: side(REPACKED, "decode_stock")}
        sides[PLAIN].send("load", repack=False)
        sides[REPACKED].send("load", repack=True)
        sides[PLAIN].receive()
        sides[REPACKED].receive()
        difference = _check(sides, run, say)
        if llama_python is not None:
            say("making the same geometry for llama.cpp")
            sides[LLAMA] = _llama(stack, geometry, run, llama_python, machine)
        measured = _measure(sides, geometry, run, say)
    title = f"decoding {geometry.name}, {run.context} tokens of context"
    rows = _rows(geometry, run, measured, serving, difference)
    return Report(title=title, machine=machine, rows=rows)


def _llama(
    stack: ExitStack, geometry: Geometry, run: DecodeRun, python: str, machine: Json
) -> Side:
    file = stack.enter_context(nameless_file())
    with os.fdopen(os.dup(file), "wb") as out:
        write_gguf(out, geometry)
    context = run.context + run.steps + 32
    words = (f"/proc/self/fd/{file}", str(context), str(machine["threads"]))
    side = stack.enter_context(
        Side(LLAMA, "trainer.bench.llama_side", words, files=(file,), python=python)
    )
    machine["llama-cpp-python"] = side.ask("load")
    return side


def llama_interpreter(asked: str | None) -> str | None:
    """The interpreter that was asked for, else ours if it has llama-cpp-python."""
    return asked or (sys.executable if find_spec("llama_cpp") is not None else None)


def _check(sides: Mapping[str, Side], run: DecodeRun, say: Say) -> float:
    """How far the logits of ours lie from those without repacking, relative to their size."""
    say("checking that both compute the same")
    ours = sides[OURS].ask("logits", context=run.context)
    theirs = sides[PLAIN].ask("logits", context=run.context)
    found = distance(ours, theirs)
    if not found <= LOGITS_TOLERANCE:
        raise SidesDisagree("what the next token is", f"{found:.1%}")
    return found


def distance(ours: list[float], theirs: list[float]) -> float:
    """Of two vectors, relative to the second one's length."""
    return math.dist(ours, theirs) / math.hypot(*theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Medians: seconds of a prompt and of a token by side, and the limits."""

    prefill: dict[str, float]
    decode: dict[str, float]
    matmul_seconds: float
    read_bytes_per_second: float


def _measure(sides: Mapping[str, Side], geometry: Geometry, run: DecodeRun, say: Say) -> Measured:
    prefill: dict[str, list[float]] = {name: [] for name in sides}
    decode: dict[str, list[float]] = {name: [] for name in sides}
    products: list[float] = []
    reads: list[float] = []
    for number in range(run.rounds + 1):  # the first one warms up
        for name, side in sides.items():
            prefill[name].append(side.ask("prefill", tokens=run.context))
        for name, side in sides.items():
            decode[name].append(side.ask("decode", context=run.context, steps=run.steps))
            if number:
                rate = 1 / decode[name][-1]
                say(f"round {number} of {run.rounds}: {name}, {rate:,.1f} tokens/s")
        products.append(sides[OURS].ask("matmul_limit", tokens=run.context))
        reads.append(sides[OURS].ask("read_limit"))
    return Measured(
        prefill={name: statistics.median(found[1:]) for name, found in prefill.items()},
        decode={name: statistics.median(found[1:]) for name, found in decode.items()},
        matmul_seconds=statistics.median(products[1:]),
        read_bytes_per_second=max(reads),
    )


def _rows(
    geometry: Geometry, run: DecodeRun, measured: Measured, serving: Json, difference: float
) -> list[Row]:
    scale = geometry.share_of_whole
    part = geometry.part_note
    token_bytes = geometry.read_bytes + geometry.kv_bytes(run.context)
    prefill = {name: run.context / found * scale for name, found in measured.prefill.items()}
    decode = {name: scale / found for name, found in measured.decode.items()}
    rows = []
    for name, rates, limit, limit_is in (
        (f"prompt of {run.context} tokens", prefill,
         run.context / measured.matmul_seconds * scale, "bare bf16 products"),
        (f"token behind {run.context}", decode,
         measured.read_bytes_per_second / token_bytes * scale, "a plain read of memory"),
    ):  # fmt: skip
        best = max((PLAIN, REPACKED), key=lambda mode: rates[mode])
        rows.append(
            Row(
                name=f"{name}, stock", unit="tokens/s", ours=rates[OURS], stock=rates[best],
                limit=limit, limit_is=limit_is, difference=difference,
                note="; ".join(filter(None, (f"stock {best}", part))),
            )
        )  # fmt: skip
        if LLAMA in rates:
            rows.append(
                Row(
                    name=f"{name}, llama.cpp", unit="tokens/s", ours=rates[OURS],
                    stock=rates[LLAMA], limit=limit, limit_is=limit_is,
                    note="; ".join(filter(None, ("Q4_0, without an adapter", part))),
                )
            )  # fmt: skip
    tokens = min(SERVING_CONTEXT, geometry.context_tokens)
    rows.append(
        Row(name=f"memory of a process that serves {tokens} tokens", unit="bytes",
            ours=serving["all"])
    )  # fmt: skip
    rows.append(Row(name="of that the base", unit="bytes", ours=serving["base"]))
    return rows
