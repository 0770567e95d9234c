"""A night's text and recipe into rows, the same rows every time: resuming depends on it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from trainer.curation import TextEncoder, curate
from trainer.examples import GENERAL_KEY, Role, Row, SourceText, TokenIds, TrainingExample
from trainer.memorisation import plant
from trainer.mixture import interleave, order_examples
from trainer.packing import pack_rows
from trainer.recipe import Recipe

CANARY_KEY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedNight:
    rows: tuple[Row, ...] = field(repr=False)
    tokens: dict[Role, int]  # of the night's text, each example counted once


def general_examples(samples: TokenIds, role: Role) -> list[TrainingExample]:
    """The base's own samples, (count, tokens) int32, as examples whose every token is a target."""
    mask = np.ones(samples.shape[1], dtype=np.bool_)
    mask[0] = False
    return [TrainingExample(key=GENERAL_KEY, role=role, ids=row, loss_mask=mask) for row in samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralSamples:
    """The base's own samples, (some, tokens) int32 each, divided so that no part knows another."""

    training: TokenIds = field(repr=False)
    tuning: TokenIds = field(repr=False)  # decide how much of the night is kept
    judging: TokenIds = field(repr=False)  # the gate's; nothing before it has seen them


def split_general(samples: TokenIds) -> GeneralSamples:
    """A half trains, an eighth tunes, the rest judges."""
    half, tuned = len(samples) // 2, len(samples) * 5 // 8
    return GeneralSamples(
        training=samples[:half], tuning=samples[half:tuned], judging=samples[tuned:]
    )


def prepare(
    texts: Iterable[SourceText],
    samples: TokenIds,
    encoder: TextEncoder,
    recipe: Recipe,
    *,
    seed: int,
) -> PreparedNight:
    """Curate, mix and pack a night. `texts` have the roles `new`, `replay` and `reading`.

    Without a single new text there are no rows: replay and canaries alone teach nothing.
    """
    examples = curate(texts, encoder, most_tokens=recipe.row_tokens)
    if not any(example.role is Role.NEW for example in examples):
        return PreparedNight(rows=(), tokens={})
    canaries = curate(
        [
            SourceText(key=CANARY_KEY, role=Role.CANARY, text=canary.text)
            for canary in plant(recipe.canaries, seed=seed)
        ],
        encoder,
        most_tokens=recipe.row_tokens,
    )
    general = general_examples(split_general(samples).training, Role.GENERAL)
    ordered = order_examples(
        new=[e for e in examples if e.role is Role.NEW],
        replay=[e for e in examples if e.role is Role.REPLAY],
        canaries=canaries,
        passes=recipe.passes,
        shares=recipe.shares,
        seed=seed,
    )
    tokens: dict[Role, int] = {}
    for example in (*examples, *canaries, *general):
        tokens[example.role] = tokens.get(example.role, 0) + len(example.ids)
    general_rows = [
        row for row in pack_rows(general, recipe.row_tokens) if len(row.ids) == recipe.row_tokens
    ]
    reading = [e for e in examples if e.role is Role.READING]
    random.Random(seed).shuffle(reading)
    rows = interleave(
        pack_rows(ordered, recipe.row_tokens),
        general_rows,
        recipe.shares.general,
        reading=pack_rows(reading, recipe.row_tokens),
    )
    return PreparedNight(rows=tuple(rows), tokens=tokens)
