"""In which ways a training step is done, and which of them memory allows. Pure."""

from dataclasses import dataclass, field
from typing import Any

from trainer.bench.adapter_values import RANK
from trainer.bench.budget import training_bytes
from trainer.bench.geometry import Geometry
from trainer.bench.train_run import TrainRun
from trainer.geometry import BF16_BYTES
from trainer.memory_plan import adapted_base, plan_training
from trainer.sizes import Sizes

CHECKPOINTED = "both checkpointed"
NEITHER = "neither checkpointed"
PLANNED = "ours as planned, stock checkpointed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one side runs a step."""

    side: str  # ours or stock
    words: str = field(compare=False)
    micro_batch: int
    kept: str  # the setting that says what is computed again on the way back
    value: int

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of the side's `run`."""
        value = bool(self.value) if self.side == "stock" else self.value
        return {"micro_batch": self.micro_batch, self.kept: value}


def ours_way(words: str, *, micro_batch: int, recompute_layers: int) -> Way:
    return Way(
        side="ours", words=f"ours, {words}", micro_batch=micro_batch, kept="recompute_layers",
        value=recompute_layers,
    )  # fmt: skip


def stock_way(words: str, *, micro_batch: int, checkpoint: bool) -> Way:
    return Way(
        side="stock", words=f"stock, {words}", micro_batch=micro_batch, kept="checkpoint",
        value=int(checkpoint),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """All that are measured; None where memory does not allow it."""

    ours_checkpointed: Way
    stock_checkpointed: Way
    planned: Way
    ours_neither: Way | None
    stock_neither: Way | None
    expected_bytes: int  # of ours as planned, at its peak in a night
    note: str = field(default="")

    @property
    def all(self) -> list[Way]:
        """Each once, ours and theirs in turn."""
        found = (
            self.ours_checkpointed, self.stock_checkpointed, self.ours_neither, self.stock_neither,
            self.planned,
        )  # fmt: skip
        return list(dict.fromkeys(way for way in found if way is not None))

    @property
    def reference(self) -> Way:
        """What all others have to agree with."""
        return self.stock_checkpointed

    def planned_tokens(self, run: TrainRun) -> int:
        """Tokens that go through the model at once as planned."""
        return min(self.planned.micro_batch, run.rows) * run.row_tokens


def plan_ways(geometry: Geometry, run: TrainRun, available: int | None) -> Ways:
    """All rows of a step at once on both sides; ours as planned as a night would plan it.

    Raises:
        BudgetTooSmall: a night with such rows would not fit.
    """
    layers, together = geometry.layers, run.rows
    needed = training_bytes(geometry, run.step_tokens, checkpointed=False)
    fits = available is None or needed <= available
    checkpointed = ours_way("checkpointed", micro_batch=together, recompute_layers=layers)
    neither = ours_way("nothing recomputed", micro_batch=together, recompute_layers=0)
    sizes = Sizes(
        rank=RANK, dropout=False, row_tokens=run.row_tokens, rows_per_step=run.rows,
        row_tokens_fixed=True,
    )  # fmt: skip
    adapted = adapted_base(geometry.plain, sizes, compute_bytes=BF16_BYTES)
    plan = plan_training(adapted, sizes, available or needed)
    planned = ours_way(
        "as planned", micro_batch=plan.rows_per_micro_batch, recompute_layers=plan.recompute_layers
    )
    return Ways(
        ours_checkpointed=checkpointed,
        stock_checkpointed=stock_way("checkpointed", micro_batch=together, checkpoint=True),
        ours_neither=neither if fits else None,
        stock_neither=stock_way("nothing recomputed", micro_batch=together, checkpoint=False)
        if fits else None,
        planned=planned,
        expected_bytes=plan.peak_bytes,
        note="" if fits else f"needs {needed / 1e9:.1f} GB of memory",
    )  # fmt: skip
