"""How a night's rows go through the model so that they fit into memory, and fast. Pure.

Three things can be chosen: how many rows go through together, how many blocks keep nothing and run
again on the way back, and how long a row is. They cost differently, counted in multiplications of
one weight for one token, of which training needs 4 (forward, and the gradient of the input):

- A block that runs again costs 2 more, half as much as all the rest.
- Weights are dequantised once a pass and micro-batch. One costs as much time as 90 flops (2.2 ms
  for 45 million weights beside 1.77 TFLOP/s of bf16 products), so n tokens share 2 * 90: at 1,024
  it is 4 % of the work, at 128 a third. Few rows are therefore better than many blocks that run
  again, and more than 2,048 tokens bring nothing, while whoever asks for an answer in the middle
  of them throws all of them away.
- A row's length changes what is learned: documents are cut where rows end. It is the recipe's, and
  only what fits in no other way is cut shorter, down to 64 tokens. A step then has more rows, so
  that it reads as many tokens as the recipe says.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from trainer.errors import BudgetTooSmall, RankTooLarge
from trainer.geometry import Geometry
from trainer.memory_terms import Adapted, MicroBatch, training_bytes
from trainer.sizes import Sizes

FLOPS = 4  # of a weight and token, without recomputing
RECOMPUTE_FLOPS = 2
DEQUANTISE_FLOPS = 90  # the time of so many takes one weight
MOST_TOKENS = 2048  # of a micro-batch
LEAST_ROW_TOKENS = 64
LEAST_RANK = 8  # that is proposed to somebody whose memory is too small


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What a night keeps to from its first step to its last; also when it is taken up again."""

    rows_per_micro_batch: int
    rows_per_step: int
    row_tokens: int
    recompute_layers: int
    peak_bytes: int  # of the engine, expected

    @property
    def batch(self) -> MicroBatch:
        return MicroBatch(
            rows=self.rows_per_micro_batch,
            row_tokens=self.row_tokens,
            recompute_layers=self.recompute_layers,
        )

    def into(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """A recipe as the engine is told it, with this plan in it."""
        finetune = {
            **recipe.get("finetune", {}),
            "rows_per_micro_batch": self.rows_per_micro_batch,
            "rows_per_step": self.rows_per_step,
            "recompute_layers": self.recompute_layers,
        }
        return {**recipe, "row_tokens": self.row_tokens, "finetune": finetune}

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, int]) -> "TrainingPlan":
        return cls(**kept)


def adapted_base(geometry: Geometry, sizes: Sizes, *, compute_bytes: int) -> Adapted:
    """The base with an adapter of these sizes.

    Raises:
        RankTooLarge: a layer is smaller than the rank, which would make no adapter any more.
    """
    if sizes.rank > geometry.largest_rank:
        raise RankTooLarge(sizes.rank, geometry.largest_rank)
    return Adapted(
        geometry=geometry, rank=sizes.rank, dropout=sizes.dropout, compute_bytes=compute_bytes
    )


def plan_training(adapted: Adapted, sizes: Sizes, budget_bytes: int) -> TrainingPlan:
    """The fastest way of training in these sizes that fits.

    Raises:
        BudgetTooSmall: none fits, not even with the shortest rows; says what would.
    """
    for cut in _lengths(sizes):
        fitting = [plan for plan in _plans(adapted, cut) if plan.peak_bytes <= budget_bytes]
        if fitting:
            return min(
                fitting, key=lambda one: (flops(adapted.geometry, one.batch), one.peak_bytes)
            )
    raise BudgetTooSmall(
        least_bytes(adapted, sizes), budget_bytes, _way_out(adapted, sizes, budget_bytes)
    )


def plan_again(adapted: Adapted, kept: TrainingPlan, budget_bytes: int) -> TrainingPlan:
    """For a night that is taken up: rows are cut as before, so that it goes on exactly; how many
    blocks run again changes no result, and may change with the memory that is there now.

    Raises:
        BudgetTooSmall: the rows do not fit any more.
    """
    plans = list(_ways(adapted, kept))
    for plan in plans:
        if plan.peak_bytes <= budget_bytes:
            return plan
    raise BudgetTooSmall(plans[-1].peak_bytes, budget_bytes, "the night goes on when there is more")


def least_bytes(adapted: Adapted, sizes: Sizes) -> int:
    """What the plan takes that takes least."""
    return min(plan.peak_bytes for cut in _lengths(sizes) for plan in _plans(adapted, cut))


def flops(geometry: Geometry, batch: MicroBatch) -> float:
    """Work of one weight for one token, dequantisation included, as so many flops."""
    again = batch.recompute_layers / geometry.layers
    return FLOPS + RECOMPUTE_FLOPS * again + DEQUANTISE_FLOPS * (2 + again) / batch.tokens


def _way_out(adapted: Adapted, sizes: Sizes, budget_bytes: int) -> str:
    """What would fit, if it is the sizes that are in the way."""
    free = replace(sizes, row_tokens_fixed=False, rows_per_micro_batch=None)
    if free != sizes and least_bytes(adapted, free) <= budget_bytes:
        return "without row_tokens and rows_per_micro_batch in config.toml it would fit"
    rank = adapted.rank // 2
    while rank >= LEAST_RANK:
        if least_bytes(replace(adapted, rank=rank), free) <= budget_bytes:
            return f"an adapter of rank {rank} would fit"
        rank //= 2
    return "a smaller base would fit"


def _lengths(sizes: Sizes) -> Iterator[Sizes]:
    """These sizes, then rows cut in halves with twice as many of them in a step."""
    yield sizes
    while not sizes.row_tokens_fixed and sizes.row_tokens >= 2 * LEAST_ROW_TOKENS:
        sizes = replace(
            sizes, row_tokens=sizes.row_tokens // 2, rows_per_step=2 * sizes.rows_per_step
        )
        yield sizes


def _plans(adapted: Adapted, sizes: Sizes) -> Iterator[TrainingPlan]:
    """Every number of rows that can go together, with any number of blocks that run again."""
    most = min(sizes.rows_per_step, max(1, MOST_TOKENS // sizes.row_tokens))
    fixed = sizes.rows_per_micro_batch
    for rows in range(1, most + 1) if fixed is None else [min(fixed, sizes.rows_per_step)]:
        plan = TrainingPlan(
            rows_per_micro_batch=rows,
            rows_per_step=sizes.rows_per_step,
            row_tokens=sizes.row_tokens,
            recompute_layers=0,
            peak_bytes=0,
        )
        yield from _ways(adapted, plan)


def _ways(adapted: Adapted, plan: TrainingPlan) -> Iterator[TrainingPlan]:
    """The plan with no block that runs again, with one, ..., with all."""
    for layers in range(adapted.geometry.layers + 1):
        batch = replace(plan.batch, recompute_layers=layers)
        yield replace(plan, recompute_layers=layers, peak_bytes=training_bytes(adapted, batch))
