"""Our side of a training bench: the night's own loop on a random base."""

from typing import Any

from trainer.bench.adapter_values import set_adapter
from trainer.bench.geometry import Geometry
from trainer.bench.limits import training_matmul_seconds
from trainer.bench.machine import machine_facts
from trainer.bench.memory import peak_bytes, reset_peak
from trainer.bench.ours_model import ADAPTER, ours, write_base
from trainer.bench.rows import packed_rows
from trainer.bench.side_loop import Operations
from trainer.bench.train_run import CLIP_NORM, LEARNING_RATE, WARMUP_STEPS, TrainRun
from trainer.finetune import Finetune, FinetuneSettings, StepDone
from trainer.lora import LoraBank
from trainer.stock_models import PreTrainedModel

Json = dict[str, Any]


class OursTraining:
    """One model, for runs in several ways."""

    def __init__(self, geometry: Geometry, file: int) -> None:
        self._geometry, self._file = geometry, file
        self._made: tuple[PreTrainedModel, LoraBank] | None = None
        self.operations: Operations = {
            "machine": machine_facts, "write": self.write, "load": self.load, "run": self.run,
            "limit": self.limit,
        }  # fmt: skip

    def write(self) -> None:
        """Random weights into the file."""
        write_base(self._geometry, self._file)

    def load(self) -> None:
        self._made = ours(self._geometry, self._file, learned=False)

    def run(self, run: Json, micro_batch: int, recompute_layers: int) -> Json:
        """Seconds and losses of all steps, the warm-up's first, and the peak of memory."""
        assert self._made is not None
        model, bank = self._made
        wanted = TrainRun(**run)
        settings = FinetuneSettings(
            learning_rate=LEARNING_RATE, warmup_steps=WARMUP_STEPS, clip_norm=CLIP_NORM,
            rate_at_end=1.0, rows_per_step=wanted.rows, rows_per_micro_batch=micro_batch,
            recompute_layers=recompute_layers,
        )  # fmt: skip
        rows = [row for ids in wanted.steps_ids() for row in packed_rows(ids)]
        reset_peak()
        with bank.training(ADAPTER) as parameters:
            set_adapter(parameters, learned=False)
            done = list(Finetune(model, parameters, rows, settings).steps())
        steps = [one for one in done if isinstance(one, StepDone)]
        return {
            "seconds": [one.seconds for one in steps],
            "losses": [one.loss for one in steps],
            "peak_bytes": peak_bytes(),
        }

    def limit(self, tokens: int) -> float:
        """Seconds that the bare products of a step take at best."""
        return training_matmul_seconds(self._geometry, tokens)
