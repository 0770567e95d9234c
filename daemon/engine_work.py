"""What a piece of patient work has of the model thread: the base, its adapters, and one job.

Patient work is training, judging and drawing samples: it makes way for clients, rests while it is
held, and ends when nobody wants it any more.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from daemon.engine import Job
from daemon.engine_way import Tell
from ipc.frames import Body
from trainer.active_adapter import active
from trainer.base_model import BaseModel
from trainer.border import Border
from trainer.evaluation import DocumentLoss, document_losses
from trainer.examples import TrainingExample
from trainer.lora import LoraBank
from trainer.recipe import Recipe, recipe_from_json
from trainer.served_adapters import ServedAdapters


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A request that cannot be done: a code for the service, and a sentence without text."""

    def __init__(self, code: str, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.code = code
        self.facts = facts


class Unwanted(Refusal):
    """Nobody waits for the work any more."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The work was stopped before its end.")


class Answer(Protocol):
    """Sends a message that belongs to the job."""

    def __call__(self, event: str, body: Body = b"", **facts: Any) -> None: ...


class MakesWay(Protocol):
    """See `engine_way.Way`."""

    def is_wanted(self) -> bool: ...

    def is_held(self) -> bool: ...

    def make(self, job: Job, tell: Tell, dropped: float = 0.0) -> float: ...

    def work_done(self, tell: Tell) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job and what it may use. Touched by the model thread only."""

    job: Job
    base: BaseModel
    bank: LoraBank  # what a night makes
    adapters: ServedAdapters  # what answers clients, or is judged before it does
    answer: Answer
    way: MakesWay

    def make_way(self) -> None:
        """Between two pieces of work: clients first, rest while held; then on, unless nobody wants
        it.

        Raises:
            Unwanted: the job was cancelled or asked to stop.
        """
        self.way.work_done(self.answer)
        self.way.make(self.job, self.answer)
        if self.job.unwanted:
            raise Unwanted

    def border(self) -> Border:
        """For a piece of work that is dropped when it is held or unwanted, but not for clients."""
        return Border(lambda: self.way.is_held() or self.job.unwanted)

    def recipe(self) -> Recipe:
        """The job's, with rows that the base can read. Raises `ValueError`."""
        base = self.base
        recipe = recipe_from_json(self.job.parameters["recipe"], parameters=base.facts.parameters)
        return replace(recipe, row_tokens=min(recipe.row_tokens, base.context_tokens))

    def losses(
        self, examples: Sequence[TrainingExample], adapter: str | None
    ) -> list[DocumentLoss]:
        """Of each document, with this adapter or with the plain base."""
        return document_losses(
            self.base.model,
            examples,
            context_tokens=self.base.context_tokens,
            between_batches=self.make_way,
            activate=lambda: self.serving(adapter),
            border=self.border(),
        )

    @contextmanager
    def serving(self, adapter: str | None) -> Iterator[None]:
        """Inside, passes through the model are what a client would get of this adapter.

        Raises:
            AdapterUnknown
        """
        loaded = None if adapter is None else self.adapters.get(adapter)
        with self.bank.serving(None), active(loaded):
            yield

    def general_loss(self, samples: Sequence[TrainingExample], adapter: str | None) -> float:
        """Nats per token over all samples."""
        losses = self.losses(samples, adapter)
        return sum(loss.nats for loss in losses) / max(1, sum(loss.tokens for loss in losses))
