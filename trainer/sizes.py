"""How large a night's adapter and its rows are to be: the presets' sizes, and what differs. Pure.

`recipe.py` has the rest of the presets; this part is known without torch, because memory is planned
before the engine is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a recipe says of them.

    Args:
        row_tokens_fixed: the rows' length is somebody's wish, not the preset's.
        rows_per_micro_batch: exactly so many; None leaves it to the plan.
    """

    rank: int
    dropout: bool
    row_tokens: int
    rows_per_step: int
    row_tokens_fixed: bool = False
    rows_per_micro_batch: int | None = None


PRESETS: Mapping[str, Sizes] = {
    "personal": Sizes(rank=16, dropout=False, row_tokens=512, rows_per_step=4),
    "guanaco": Sizes(rank=64, dropout=True, row_tokens=512, rows_per_step=16),
}


def sizes_of(recipe: Mapping[str, Any], *, context_tokens: int) -> Sizes:
    """Of a recipe as it is configured and sent to the engine: a preset's name and what differs.

    Args:
        context_tokens: no row is longer than what the base can read.

    Raises:
        KeyError: an unknown preset.
    """
    preset = PRESETS[recipe.get("preset", "personal")]
    lora, finetune = recipe.get("lora", {}), recipe.get("finetune", {})
    return Sizes(
        rank=lora.get("rank", preset.rank),
        dropout=lora["dropout"] > 0 if "dropout" in lora else preset.dropout,
        row_tokens=min(recipe.get("row_tokens", preset.row_tokens), context_tokens),
        rows_per_step=finetune.get("rows_per_step", preset.rows_per_step),
        row_tokens_fixed="row_tokens" in recipe,
        rows_per_micro_batch=finetune.get("rows_per_micro_batch"),
    )
