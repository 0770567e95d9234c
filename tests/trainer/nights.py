"""Small rows to train on, and adapters in training, for the tests of the loop and its state."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel
from trainer.examples import GENERAL_KEY, Role, Row, TrainingExample
from trainer.finetune import Finetune, FinetuneSettings, Interrupted, StepDone
from trainer.lora import LoraBank
from trainer.packing import pack_rows

ROW_TOKENS = 24
SETTINGS = FinetuneSettings(
    learning_rate=5e-3, warmup_steps=2, rows_per_step=3, rows_per_micro_batch=1, seed=11
)


def rows(count: int, *, passes: int = 1, seed: int = 7, general: bool = False) -> list[Row]:
    """`count` rows of random documents of different lengths, `passes` times."""
    rng = np.random.default_rng(seed)
    examples: list[TrainingExample] = []
    while sum(len(one.ids) for one in examples) < count * ROW_TOKENS:
        length = ROW_TOKENS if general else int(rng.integers(5, 20))
        ids = rng.integers(6, 300, length).astype(np.int32)
        key = GENERAL_KEY if general else len(examples)
        mask = np.arange(length) > 0
        examples.append(TrainingExample(key=key, role=Role.NEW, ids=ids, loss_mask=mask))
    return pack_rows(examples, ROW_TOKENS)[:count] * passes


def mixed_rows() -> list[Row]:
    """Two steps of text and general rows, the last step shorter."""
    text, general = rows(4), rows(1, general=True)
    return [*text[:2], *general, *text[2:]]


@contextmanager
def a_run(
    base: BaseModel,
    data: Sequence[Row],
    *,
    settings: FinetuneSettings = SETTINGS,
    wanted: Callable[[], bool] = lambda: False,
    pausing: Callable[[], bool] = lambda: False,
    dropout: float = 0.2,
) -> Iterator[tuple[Finetune, LoraBank]]:
    """A run of a fresh adapter on a base that has none."""
    bank = LoraBank(base.model, base.identity)
    bank.create("night", LoraShape(rank=4, dropout=dropout), seed=3)
    with bank.training("night") as parameters:
        run = Finetune(
            base.model, parameters, data, settings, wanted=wanted, pausing=pausing, bare=bank.bare
        )
        yield run, bank
    bank.drop("night")


def losses(run: Finetune) -> list[float]:
    """Run to the end."""
    return [event.loss for event in run.steps() if isinstance(event, StepDone)]


def adapter_after(
    base: BaseModel, data: Sequence[Row], *, wanted: Callable[[], bool] = lambda: False
) -> tuple[bytes, int]:
    """The adapter of a whole run, and how often it was interrupted."""
    with a_run(base, data, wanted=wanted) as (run, bank):
        interruptions = sum(isinstance(event, Interrupted) for event in run.steps())
        return bank.save("night"), interruptions
