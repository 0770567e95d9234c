"""A night's text and recipe into rows, the same rows every time: resuming depends on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trainer.curation import TextEncoder, curate
from trainer.examples import Role, Row, SourceText, TokenIds, TrainingExample
from trainer.memorisation import plant
from trainer.mixture import order_examples
from trainer.packing import pack_rows
from trainer.recipe import Recipe

CANARY_KEY = -1
GENERAL_KEY = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedNight:
    rows: tuple[Row, ...] = field(repr=False)
    tokens: dict[Role, int]  # of the night's text, each example counted once


def general_examples(samples: TokenIds, role: Role) -> list[TrainingExample]:
    """The base's own samples, (count, tokens) int32, as examples whose every token is a target."""
    mask = np.ones(samples.shape[1], dtype=np.bool_)
    mask[0] = False
    return [
        TrainingExample(key=GENERAL_KEY, role=role, ids=row, loss_mask=mask) for row in samples
    ]


def split_general(samples: TokenIds) -> tuple[TokenIds, TokenIds]:
    """(for training, for judging): disjoint halves, so that replay never contains the judge."""
    half = len(samples) // 2
    return samples[:half], samples[half:]


def prepare(
    texts: Sequence[SourceText],
    samples: TokenIds,
    encoder: TextEncoder,
    recipe: Recipe,
    *,
    seed: int,
) -> PreparedNight:
    """Curate, mix and pack a night. `texts` have the roles `new` and `replay`."""
    examples = curate(texts, encoder)
    canaries = curate(
        [
            SourceText(key=CANARY_KEY, role=Role.CANARY, text=canary.text)
            for canary in plant(recipe.canaries, seed=seed)
        ],
        encoder,
    )
    general = general_examples(split_general(samples)[0], Role.GENERAL)
    ordered = order_examples(
        new=[e for e in examples if e.role is Role.NEW],
        replay=[e for e in examples if e.role is Role.REPLAY],
        general=general,
        canaries=canaries,
        passes=recipe.passes,
        shares=recipe.shares,
        seed=seed,
    )
    tokens: dict[Role, int] = {}
    for example in (*examples, *canaries, *general):
        tokens[example.role] = tokens.get(example.role, 0) + len(example.ids)
    return PreparedNight(rows=tuple(pack_rows(ordered, recipe.row_tokens)), tokens=tokens)
