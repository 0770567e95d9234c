"""The training loop of a night: rows in, steps out, stoppable between layers, resumable exactly.

One optimizer step is several micro-batches; gradients are summed by us, so that an abandoned
micro-batch leaves no trace. Knows nothing of documents, verdicts, keys or the time of day: the
caller iterates over `Finetune.steps()` and decides between events what happens next.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from trainer.border import Border, BorderReached
from trainer.checkpoint import Cursor, pack_checkpoint, unpack_checkpoint
from trainer.device import optimizer_for
from trainer.errors import CheckpointDamaged
from trainer.examples import Batch, Row
from trainer.lean_imports import without_compiler
from trainer.loss import divergence_from_base, target_nats
from trainer.packing import batches
from trainer.stock_models import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSettings:
    """How rows become steps. After a short warm-up the rate falls along a line.

    To nothing by default, which predicts new text better than a constant rate and drifts less from
    the base (trainer/README.md; Bergsma and others, arXiv 2502.15938); `rate_at_end` 1 is the
    constant rate of QLoRA (appendix B).

    Raises:
        ValueError: a setting is out of range.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 5
    rate_at_end: float = 0.0  # as a share of learning_rate
    clip_norm: float = 0.3
    rows_per_step: int = 4
    rows_per_micro_batch: int = 2
    recompute_layers: int = 0  # run again on the way back, to save memory (memory_plan.py)
    general_weight: float = 4.0  # of a nat of divergence from the base against a nat of text
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.learning_rate < math.inf and 0 < self.clip_norm < math.inf):
            raise ValueError("learning_rate and clip_norm must be positive numbers")
        if not 0 <= self.rate_at_end <= 1:
            raise ValueError("rate_at_end must be a share from 0 to 1")
        if min(self.rows_per_step, self.rows_per_micro_batch) < 1 or self.warmup_steps < 0:
            raise ValueError("rows_per_step and rows_per_micro_batch must be at least 1")
        if self.recompute_layers < 0:
            raise ValueError("recompute_layers must be at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """After an optimizer step. `loss` is nats per target of its text, general rows left out."""

    step: int
    steps: int
    loss: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """The model was wanted at a border; iterate on when it is free again.

    `seconds` went into the micro-batch that was dropped.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatchDone:
    """Between two micro-batches of a step, where the caller asked to be told."""


class Finetune:
    """A run over fixed rows with one adapter's parameters.

    Args:
        model: the 4-bit model with the adapter active and wanting gradients.
        parameters: the adapter's tensors by name.
        rows: all rows of the run, in order.
        settings: the recipe.
        wanted: asked at every layer's border; True abandons the running micro-batch.
        pausing: asked after every micro-batch; True gives a `MicroBatchDone`, and drops nothing.
        bare: inside, the model is the plain base; general rows are kept close to it.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        parameters: dict[str, torch.nn.Parameter],
        rows: Sequence[Row],
        settings: FinetuneSettings,
        *,
        wanted: Callable[[], bool] = lambda: False,
        pausing: Callable[[], bool] = lambda: False,
        bare: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._model = model
        self._bare = bare
        self._parameters = parameters
        self._settings = settings
        self._border = Border(wanted)
        self._pausing = pausing
        self._plan = plan_steps(rows, settings)
        with without_compiler():
            self._optimizer = optimizer_for(
                list(parameters.values()), learning_rate=settings.learning_rate, device=model.device
            )
        self._gradients = {name: torch.zeros_like(p) for name, p in parameters.items()}
        self._cursor = Cursor(step=0, micro_batch=0, nats=0.0)
        self.finished = 0  # micro-batches, by this object
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self._random = torch.get_rng_state()

    @property
    def step(self) -> int:
        return self._cursor.step

    @property
    def tokens_done(self) -> int:
        """Tokens of all finished steps."""
        return sum(batch.tokens for step in self._plan[: self.step] for batch in step)

    @property
    def total_steps(self) -> int:
        return len(self._plan)

    @without_compiler()
    def state(self) -> bytes:
        """Everything that an exact continuation needs, adapter included."""
        return pack_checkpoint(
            parameters=self._parameters,
            gradients=self._gradients,
            optimizer=self._optimizer.state_dict()["state"],
            random=self._random,
            cursor=self._cursor,
        )

    @without_compiler()
    def restore(self, data: bytes) -> None:
        """Continue from `state()` of a run over the same rows and settings.

        Raises:
            CheckpointDamaged: the bytes are not such a state.
        """
        found = unpack_checkpoint(data, like=self._parameters)
        if not self._reaches(found.cursor):
            raise CheckpointDamaged()
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(found.parameters[name])
                self._gradients[name].copy_(found.gradients[name])
        state = self._optimizer.state_dict()
        state["state"] = found.optimizer
        self._optimizer.load_state_dict(state)
        self._random = found.random
        self._cursor = found.cursor

    def steps(self) -> Iterator[StepDone | MicroBatchDone | Interrupted]:
        """Run what is left. An `Interrupted` event comes between two tries of a micro-batch.

        A step's seconds are those in which it was worked at, not those between two events.
        """
        outside = torch.get_rng_state()
        worked, started = 0.0, time.monotonic()
        while self._cursor.step < self.total_steps:
            micro_batches = self._plan[self._cursor.step]
            targets = sum(batch.targets for batch in micro_batches)  # never 0
            while self._cursor.micro_batch < len(micro_batches):
                torch.set_rng_state(self._random)
                begun = time.monotonic()
                try:
                    self._micro_batch(micro_batches[self._cursor.micro_batch], targets)
                except BorderReached:
                    torch.set_rng_state(outside)
                    now = time.monotonic()
                    worked += now - started
                    yield Interrupted(seconds=now - begun)
                    started = time.monotonic()
                    continue
                self._random = torch.get_rng_state()
                torch.set_rng_state(outside)
                if self._pausing() and self._cursor.micro_batch < len(micro_batches):
                    worked += time.monotonic() - started
                    yield MicroBatchDone()
                    started = time.monotonic()
            of_text = sum(batch.targets for batch in micro_batches if not batch.general)
            loss = self._cursor.nats / max(of_text, 1)
            self._optimizer_step()
            now = time.monotonic()
            yield StepDone(
                step=self._cursor.step,
                steps=self.total_steps,
                loss=loss,
                tokens=sum(batch.tokens for batch in micro_batches),
                seconds=worked + now - started,
            )
            worked, started = 0.0, time.monotonic()

    def _reaches(self, cursor: Cursor) -> bool:
        """Whether the plan has such a place."""
        if cursor.step >= self.total_steps:
            return cursor == Cursor(step=self.total_steps, micro_batch=0, nats=0.0)
        return cursor.micro_batch <= len(self._plan[cursor.step])

    @without_compiler()
    def _micro_batch(self, batch: Batch, step_targets: int) -> None:
        """Add one micro-batch's gradients of (nats / targets of the whole step)."""
        recompute = self._settings.recompute_layers
        if batch.general:
            divergence = divergence_from_base(
                self._model, batch, self._bare, self._border, recompute_layers=recompute
            ).sum()
            cost, nats = self._settings.general_weight * divergence, 0.0
        else:
            cost = target_nats(self._model, batch, self._border, recompute_layers=recompute).sum()
            nats = float(cost.detach())
        gradients = torch.autograd.grad(cost / step_targets, list(self._parameters.values()))
        for total, gradient in zip(self._gradients.values(), gradients, strict=True):
            total.add_(gradient)
        self._cursor = Cursor(
            step=self._cursor.step,
            micro_batch=self._cursor.micro_batch + 1,
            nats=self._cursor.nats + nats,
        )
        self.finished += 1

    @without_compiler()
    def _optimizer_step(self) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate_at(self._cursor.step, self.total_steps, self._settings)
        for name, parameter in self._parameters.items():
            parameter.grad = self._gradients[name]
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._settings.clip_norm)
        self._optimizer.step()
        for name, parameter in self._parameters.items():
            parameter.grad = None
            self._gradients[name].zero_()
        self._cursor = Cursor(step=self._cursor.step + 1, micro_batch=0, nats=0.0)


def rate_at(step: int, steps: int, settings: FinetuneSettings) -> float:
    """The learning rate of step 0 ... steps - 1."""
    warmup = min(1.0, (step + 1) / max(settings.warmup_steps, 1))
    fallen = 1.0 - (1.0 - settings.rate_at_end) * step / max(steps, 1)
    return settings.learning_rate * warmup * fallen


def plan_steps(rows: Sequence[Row], settings: FinetuneSettings) -> list[list[Batch]]:
    """Cut rows into optimizer steps, and each step into micro-batches of one kind of row.

    Rows in which nothing is to be predicted (the ends of two documents, say) are left out.
    """
    learnable = [row for row in rows if row.target_mask.any()]
    per_step = settings.rows_per_step
    groups = [learnable[start : start + per_step] for start in range(0, len(learnable), per_step)]
    return [
        [
            batch
            for rows_of_kind in (
                [row for row in group if not row.general],
                [row for row in group if row.general],
            )
            for batch in batches(rows_of_kind, settings.rows_per_micro_batch)
        ]
        for group in groups
    ]
