"""What a piece of patient work has of the model thread: the base, its adapters, and one job.

Patient work is training, judging and drawing samples: it makes way for clients, and ends when
nobody wants it any more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from daemon.engine import Job
from ipc.frames import Body
from trainer.base_model import BaseModel
from trainer.evaluation import DocumentLoss, document_losses
from trainer.examples import TrainingExample
from trainer.lora import LoraBank
from trainer.recipe import Recipe, recipe_from_json


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job and what it may use. Touched by the model thread only."""

    job: Job
    base: BaseModel
    bank: LoraBank
    answer: Answer
    urgent_waits: Callable[[], bool]
    serve_urgent: Callable[[], None]

    def make_way(self) -> None:
        """Between two pieces of work: clients first; then on, unless nobody wants it.

        Raises:
            Unwanted: the job was cancelled or asked to stop.
        """
        self.serve_urgent()
        if self.job.unwanted:
            raise Unwanted

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
            activate=lambda: self.bank.serving(adapter),
        )

    def general_loss(self, samples: Sequence[TrainingExample], adapter: str | None) -> float:
        """Nats per token over all samples."""
        losses = self.losses(samples, adapter)
        return sum(loss.nats for loss in losses) / max(1, sum(loss.tokens for loss in losses))
