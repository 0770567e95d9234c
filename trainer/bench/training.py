"""`bench train`: a training step of a geometry, ours against transformers + peft + bitsandbytes.

Two processes hold the same base and adapter and run the same rows in turn. Before anything is
timed, all ways must lose alike over a few short steps, which shows that they compute the same
losses and the same gradients.
"""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from trainer.bench.errors import SidesDisagree
from trainer.bench.geometry import Geometry
from trainer.bench.random_base import nameless_file
from trainer.bench.report import Report, Row
from trainer.bench.side import side_words
from trainer.bench.sides import Side
from trainer.bench.train_run import TrainRun
from trainer.bench.training_ways import CHECKPOINTED, NEITHER, PLANNED, Way, Ways
from trainer.speed import NIGHT_SECONDS

Json = dict[str, Any]
Say = Callable[[str], None]

CHECK_TOKENS, CHECK_STEPS = 64, 3
LOSS_TOLERANCE = 0.01  # of a loss
FALL_TOLERANCE = 0.1  # of how far it fell


def bench_training(
    geometry: Geometry, run: TrainRun, ways: Ways, *, rounds: int, say: Say
) -> Report:
    """All ways that fit into memory.

    Raises:
        SidesDisagree, SideDied, SideFailed
    """
    with ExitStack() as stack:
        file = stack.enter_context(nameless_file())
        sides = {
            name: stack.enter_context(
                Side(name, "trainer.bench.side", side_words(f"train_{name}", geometry, file),
                     files=(file,), as_engine=name == "ours")
            )
            for name in ("ours", "stock")
        }  # fmt: skip
        say(f"making random weights ({geometry.base_bytes / 1e9:.1f} GB)")
        sides["ours"].ask("write")
        for side in sides.values():
            side.send("load")
        for side in sides.values():
            side.receive()
        machine = sides["ours"].ask("machine")
        difference = _check(sides, run, ways, say)
        seconds, peaks, limit = _measure(sides, run, ways, rounds, say)
    title = f"training {geometry.name}, {run.rows} rows of {run.row_tokens} tokens a step"
    rows = _rows(geometry, run, ways, seconds, peaks, limit, difference)
    return Report(title=title, machine=machine, rows=rows)


def _check(sides: dict[str, Side], run: TrainRun, ways: Ways, say: Say) -> float:
    """Let every way do some short steps; returns the largest difference of a loss."""
    short = TrainRun(
        rows=run.rows, row_tokens=min(CHECK_TOKENS, run.row_tokens), steps=CHECK_STEPS,
        vocabulary=run.vocabulary,
    )  # fmt: skip
    say("checking that both compute the same")
    losses = {way: _run(sides, short, way)["losses"] for way in ways.all}
    reference = losses[ways.reference]
    return max(compare(found, reference) for found in losses.values())


def compare(losses: list[float], reference: list[float]) -> float:
    """The largest difference of two courses of the loss, relative to the loss.

    Raises:
        SidesDisagree: they are not the same losses, or do not fall alike.
    """
    differences = [abs(a / b - 1) for a, b in zip(losses, reference, strict=True)]
    apart = max(differences)
    if not all(found <= LOSS_TOLERANCE for found in differences):  # not a number is not either
        raise SidesDisagree("a loss", f"{apart:.1%}")
    fall, reference_fall = losses[1] - losses[-1], reference[1] - reference[-1]
    if not abs(fall / reference_fall - 1) <= FALL_TOLERANCE:
        raise SidesDisagree("the fall of the loss", f"{abs(fall / reference_fall - 1):.1%}")
    return apart


def _measure(
    sides: dict[str, Side], run: TrainRun, ways: Ways, rounds: int, say: Say
) -> tuple[dict[Way, float], dict[Way, int | None], float]:
    """Median seconds of a step and peak of memory by way, and seconds of the bare products."""
    seconds: dict[Way, list[float]] = {way: [] for way in ways.all}
    peaks: dict[Way, int | None] = {}
    limits = []
    for number in range(rounds):
        for way in ways.all:
            found = _run(sides, run, way)
            seconds[way].append(found["seconds"][-1])
            peaks.setdefault(way, found["peak_bytes"])  # before others have left anything behind
            rate = run.step_tokens / seconds[way][-1]
            say(f"round {number + 1} of {rounds}: {way.words}, {rate:,.1f} tokens/s")
        limits.append(sides["ours"].ask("limit", tokens=ways.planned_tokens(run)))
    medians = {way: statistics.median(found) for way, found in seconds.items()}
    scale = run.step_tokens / ways.planned_tokens(run)
    return medians, peaks, statistics.median(limits) * scale


def _run(sides: dict[str, Side], run: TrainRun, way: Way) -> Json:
    found: Json = sides[way.side].ask("run", run=asdict(run), **way.settings)
    return found


def _rows(
    geometry: Geometry,
    run: TrainRun,
    ways: Ways,
    seconds: dict[Way, float],
    peaks: dict[Way, int | None],
    limit: float,
    difference: float,
) -> list[Row]:
    scale = geometry.share_of_whole

    def rate(way: Way | None) -> float | None:
        return None if way not in seconds else run.step_tokens / seconds[way] * scale

    rows = []
    for name, ours, stock in (
        (CHECKPOINTED, ways.ours_checkpointed, ways.stock_checkpointed),
        (NEITHER, ways.ours_neither, ways.stock_neither),
        (PLANNED, ways.planned, ways.stock_checkpointed),
    ):
        own = rate(ours)
        notes = (geometry.part_note, ways.note if name == NEITHER else "")
        rows.append(
            Row(
                name=name, unit="tokens/s", ours=own, stock=rate(stock),
                limit=run.step_tokens / limit * scale, limit_is="bare bf16 products",
                tokens_per_night=None if own is None else own * NIGHT_SECONDS,
                peak_bytes=None if ours is None else peaks[ours],
                stock_peak_bytes=None if stock is None else peaks[stock],
                expected_peak_bytes=ways.expected_bytes if name == PLANNED else None,
                difference=difference,
                note="; ".join(filter(None, notes)),
            )
        )  # fmt: skip
    return rows
