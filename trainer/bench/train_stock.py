"""The stock side of a training bench: transformers, peft and bitsandbytes in a plain loop."""

import time
from typing import Any

import torch

from trainer.bench.adapter_values import set_adapter
from trainer.bench.geometry import Geometry
from trainer.bench.memory import peak_bytes, reset_peak
from trainer.bench.side_loop import Operations
from trainer.bench.stock_model import adapter_parameters, forbid_repacking, stock
from trainer.bench.train_run import CLIP_NORM, LEARNING_RATE, TrainRun, rate

Json = dict[str, Any]


class StockTraining:
    """One model, for runs in several ways."""

    def __init__(self, geometry: Geometry, file: int) -> None:
        self._geometry, self._file = geometry, file
        self._model: Any = None
        self.operations: Operations = {"load": self.load, "run": self.run}

    def load(self) -> None:
        self._model = stock(self._geometry, self._file, learned=False)
        forbid_repacking(self._model)

    def run(self, run: Json, micro_batch: int, checkpoint: bool) -> Json:
        """Seconds and losses of all steps, the warm-up's first, and the peak of memory."""
        wanted = TrainRun(**run)
        model = self._model
        if checkpoint:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        else:
            model.gradient_checkpointing_disable()
        model.train()
        parameters = adapter_parameters(model)
        set_adapter(parameters, learned=False)
        optimizer = torch.optim.AdamW(
            parameters.values(), lr=LEARNING_RATE, betas=(0.9, 0.999), weight_decay=0.0, fused=True
        )
        reset_peak()
        seconds, losses = [], []
        for step, rows in enumerate(wanted.steps_ids()):
            started = time.perf_counter()
            ids = torch.from_numpy(rows).long()
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
            with torch.autocast("cpu", torch.bfloat16):  # faster than fp32 adapters without it
                losses.append(self._gradients(ids, micro_batch))
            torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP_NORM)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds, "losses": losses, "peak_bytes": peak_bytes()}

    def _gradients(self, ids: torch.Tensor, micro_batch: int) -> float:
        """Gradients of the mean loss over all rows, which is returned."""
        total = 0.0
        for some in ids.split(micro_batch):
            loss = self._model(input_ids=some, labels=some, use_cache=False).loss
            loss = loss * (len(some) / len(ids))
            loss.backward()
            total += float(loss.detach())
        return total
