"""How fast this machine trains, found in a few seconds on a small model and a piece of a large."""

from dataclasses import dataclass, replace
from typing import Any

from trainer.bench.adapter_values import set_adapter
from trainer.bench.geometry import GEOMETRIES, Geometry
from trainer.bench.machine import machine_facts
from trainer.bench.ours_model import ADAPTER, ours, write_base
from trainer.bench.random_base import nameless_file
from trainer.bench.rows import packed_rows
from trainer.bench.train_run import TrainRun
from trainer.finetune import Finetune, FinetuneSettings, StepDone
from trainer.memory_terms import MicroBatch
from trainer.speed import Speed, work

ROWS, ROW_TOKENS, STEPS = 2, 512, 2
# Of the large model one layer, since they are all alike, and a small head: all vocabulary would be
# most of the work.
LARGE = replace(GEOMETRIES["1b"].with_layers(1), vocabulary=8192)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Both rates, and on what machine they were found."""

    speed: Speed
    machine: dict[str, Any]

    @property
    def as_json(self) -> dict[str, Any]:
        return {"speed": self.speed.to_json(), "machine": self.machine}


def measured() -> Measured:
    """Takes some seconds, most of them to begin, and half a gigabyte of memory."""
    speed = Speed(small=_rate(GEOMETRIES["tiny"]), large=_rate(LARGE))
    return Measured(speed=speed, machine=machine_facts())


def _rate(geometry: Geometry) -> float:
    """Flops a second of the fastest step: what else runs now does not run in the night."""
    run = TrainRun(
        rows=ROWS, row_tokens=ROW_TOKENS, steps=STEPS, vocabulary=geometry.vocabulary
    )  # the first step is a short one that warms up
    settings = FinetuneSettings(rows_per_step=ROWS, rows_per_micro_batch=ROWS)
    with nameless_file() as file:
        write_base(geometry, file)
        model, bank = ours(geometry, file, learned=False)
        rows = [row for ids in run.steps_ids() for row in packed_rows(ids)]
        with bank.training(ADAPTER) as parameters:
            set_adapter(parameters, learned=False)
            done = list(Finetune(model, parameters, rows, settings).steps())
    seconds = min(one.seconds for one in done[1:] if isinstance(one, StepDone))
    batch = MicroBatch(rows=ROWS, row_tokens=ROW_TOKENS)
    return work(geometry.plain, batch, tokens=run.step_tokens) / seconds
