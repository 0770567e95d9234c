"""`python -m trainer.bench kernels | train | decode | speed`: JSON on stdout, progress on stderr.

One object, which the command `nightloom bench` starts this for and shows as a table.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainer.bench.budget import decoding_bytes, kernel_bytes, require, training_bytes
from trainer.bench.errors import BenchError
from trainer.bench.geometry import GEOMETRIES, Geometry
from trainer.bench.memory import available_bytes
from trainer.bench.report import Report
from trainer.bench.side_loop import end_with, own_stdout
from trainer.errors import PlanError

if TYPE_CHECKING:
    from trainer.bench.speed import Measured

STEP_TOKENS = {"tiny": 2048, "1b": 1024, "7b": 1024}
ROW_TOKENS = 512
ROUNDS = {"tiny": 7, "1b": 3, "7b": 2}
DECODE_STEPS = {"tiny": 64, "1b": 16, "7b": 8}
KERNEL_ROUNDS = 7
CONTEXT_TOKENS = 256


def main(words: Sequence[str] | None = None) -> int:
    """0, or 1 with `{"error": sentence}` on stdout."""
    asked = _parser().parse_args(words)
    if asked.end_with is not None:
        end_with(asked.end_with)
    answers = own_stdout()
    try:
        answer = _report(asked).as_json
    except (BenchError, PlanError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), file=answers, flush=True)
    return int("error" in answer)


def _report(asked: argparse.Namespace) -> "Report | Measured":
    if asked.bench == "speed":
        from trainer.bench.speed import measured

        return measured()
    geometry = GEOMETRIES[asked.geometry].with_layers(asked.layers)
    if asked.bench == "train":
        return _train(asked, geometry)
    if asked.bench == "decode":
        return _decode(asked, geometry)
    return _kernels(asked, geometry)


def _kernels(asked: argparse.Namespace, geometry: Geometry) -> Report:
    require(available_bytes(), geometry, kernel_bytes)
    from trainer.bench.kernels import bench_kernels  # torch, after the memory was looked at

    return bench_kernels(geometry, rounds=asked.rounds or KERNEL_ROUNDS, say=_say)


def _train(asked: argparse.Namespace, geometry: Geometry) -> Report:
    from trainer.bench.train_run import TrainRun
    from trainer.bench.training import bench_training
    from trainer.bench.training_ways import plan_ways

    tokens = asked.tokens or STEP_TOKENS[geometry.name]
    row_tokens = min(tokens, ROW_TOKENS)
    run = TrainRun(
        rows=tokens // row_tokens, row_tokens=row_tokens, steps=1, vocabulary=geometry.vocabulary
    )
    free = available_bytes()
    require(free, geometry, lambda one: training_bytes(one, tokens, checkpointed=True))
    ways = plan_ways(geometry, run, free)
    rounds = asked.rounds or ROUNDS[geometry.name]
    return bench_training(geometry, run, ways, rounds=rounds, say=_say)


def _decode(asked: argparse.Namespace, geometry: Geometry) -> Report:
    from trainer.bench.decoding import DecodeRun, bench_decoding, llama_interpreter

    python = llama_interpreter(asked.llama_python)
    require(available_bytes(), geometry, lambda one: decoding_bytes(one, llama=python is not None))
    context = asked.tokens or CONTEXT_TOKENS
    run = DecodeRun(
        context=context,
        steps=min(DECODE_STEPS[geometry.name], context),
        rounds=asked.rounds or ROUNDS[geometry.name],
    )
    return bench_decoding(geometry, run, llama_python=python, say=_say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trainer.bench")
    parser.add_argument("bench", choices=("kernels", "train", "decode", "speed"))
    parser.add_argument("--geometry", choices=tuple(GEOMETRIES), default="tiny")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--llama-python")
    parser.add_argument("--end-with", type=int)
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
