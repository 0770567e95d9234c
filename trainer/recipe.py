"""What a night is asked to do with its text: the recipe as one frozen value, and two presets."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from trainer.adapter_format import LoraShape
from trainer.finetune import FinetuneSettings
from trainer.memorisation import MOST_CANARIES
from trainer.mixture import Shares
from trainer.packing import MINIMUM_PIECE
from trainer.sizes import PRESETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the result of a night besides its text and its base.

    Raises:
        ValueError: a value is out of range.
    """

    lora: LoraShape = field(default_factory=LoraShape)
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
    shares: Shares = field(default_factory=lambda: Shares(replay=0.10, general=0.25))
    passes: int = 4
    row_tokens: int = 512
    canaries: int = 8
    general_budget: float = 0.018  # divergence allowed, as a share of the base's general loss

    def __post_init__(self) -> None:
        if self.passes < 1 or self.row_tokens < MINIMUM_PIECE:
            raise ValueError("a night needs a pass and rows that hold a prediction")
        if not 0 <= self.canaries <= MOST_CANARIES:
            raise ValueError(f"there can be at most {MOST_CANARIES} canaries")
        if not 0 <= self.general_budget < math.inf:
            raise ValueError("general_budget must be a number and not negative")


def personal(parameters: int) -> Recipe:
    """Short runs on one person's text: r 16, rsLoRA, small batches, replay, general text.

    No dropout: its random masks take a fifth of a step on the CPU, and a night is a few passes.
    The rate falls with the size of the base. 1e-3 is measured, on the built-in base (see
    trainer/README.md); the others follow the field's custom for LoRA with rsLoRA's scale of 4.
    """
    rate = 1e-3 if parameters < 100e6 else 5e-4 if parameters < 1e9 else 2e-4
    sizes = PRESETS["personal"]
    return Recipe(
        lora=LoraShape(rank=sizes.rank),
        finetune=FinetuneSettings(learning_rate=rate, rows_per_step=sizes.rows_per_step),
        row_tokens=sizes.row_tokens,
    )


def guanaco(parameters: int) -> Recipe:
    """The QLoRA paper's, table 9 and appendix B.2: r 64, alpha 16, effective batch 16.

    Dropout 0.1 and rate 2e-4 up to 13B, 0.05 and 1e-4 from 33B.
    """
    large, sizes = parameters > 20e9, PRESETS["guanaco"]
    return Recipe(
        lora=LoraShape(rank=sizes.rank, alpha=16.0, rslora=False, dropout=0.05 if large else 0.1),
        finetune=FinetuneSettings(
            learning_rate=1e-4 if large else 2e-4,
            rate_at_end=1.0,
            rows_per_step=sizes.rows_per_step,
        ),
        row_tokens=sizes.row_tokens,
        shares=Shares(replay=0.0, general=0.0),
    )


FIELDS = {"preset", *(field.name for field in fields(Recipe))}


def recipe_from_json(values: dict[str, Any], *, parameters: int) -> Recipe:
    """A recipe from what came over the link: a preset's name and the fields that differ.

    Raises:
        ValueError: an unknown preset or field, or a value out of range.
    """
    if not set(values) <= FIELDS:
        raise ValueError("unknown field in the recipe")
    preset = values.get("preset", "personal")
    if preset not in PRESETS:
        raise ValueError("unknown preset")
    recipe = personal(parameters) if preset == "personal" else guanaco(parameters)
    try:
        return replace(
            recipe,
            lora=replace(recipe.lora, **values.get("lora", {})),
            finetune=replace(recipe.finetune, **values.get("finetune", {})),
            shares=replace(recipe.shares, **values.get("shares", {})),
            general_budget=float(values.get("general_budget", recipe.general_budget)),
            **{
                key: int(values[key])
                for key in ("passes", "row_tokens", "canaries")
                if key in values
            },
        )
    except TypeError as error:
        raise ValueError("unknown field in the recipe") from error
