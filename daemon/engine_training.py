"""A night's training: rows from text, steps from rows, a candidate's bytes at the end."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import torch

from daemon.engine_attachments import samples, taken, texts
from daemon.engine_work import Refusal, Unwanted, Work
from daemon.memory_reading import own_bytes
from storage.records import sha256_hex
from trainer.border import BorderReached
from trainer.examples import Role, Row, SourceText
from trainer.finetune import Finetune, Interrupted, MicroBatchDone, StepDone
from trainer.loss import divergence_from_base
from trainer.packing import batches, pack_rows
from trainer.preparation import general_examples, prepare, split_general
from trainer.recipe import Recipe
from trainer.shrinking import shrink_to_budget

CANDIDATE = "candidate"  # its name in the bank, while it is made
ROWS_AT_ONCE = 4  # of samples, to measure how far the candidate went


def train(work: Work) -> None:
    """Answers with `prepared`, `resumed`, `step`s and `checkpoint`s, and last the candidate.

    Attachments: `text` (each document), `samples`, and `parent` or `checkpoint` or both.
    """
    job, bank, recipe = work.job, work.bank, work.recipe()
    seed = int(job.parameters["seed"])
    sources = _making_way(work, texts(job))
    try:
        night = prepare(sources, samples(job), work.base.tokenizer, recipe, seed=seed)
    except Unwanted:
        if job.cancelled.is_set():
            raise
        work.answer("done", stopped=True)  # without a checkpoint: nothing is new
        return
    work.answer(
        "prepared",
        tokens={role.value: count for role, count in night.tokens.items()},
        rows=len(night.rows),
        row_tokens=sum(len(row.ids) for row in night.rows),
    )
    if not night.rows:
        raise Refusal("empty_night", "No text is left to learn from after curation.")
    parent = taken(job, "parent")
    if parent is None:
        bank.create(CANDIDATE, recipe.lora, seed=seed)
    else:
        bank.load(CANDIDATE, parent)
    del parent
    start = {name: p.detach().clone() for name, p in bank.parameters(CANDIDATE).items()}
    try:
        stopped = _run_steps(work, night.rows, recipe)
        if not stopped:
            _shrink(work, start, recipe)
        data = b"" if stopped else bank.save(CANDIDATE)
    finally:
        bank.drop(CANDIDATE)
    if stopped:
        work.answer("done", stopped=True)
    else:
        work.answer("done", data, stopped=False, sha256=sha256_hex(data))


def _making_way(work: Work, sources: Iterable[SourceText]) -> Iterator[SourceText]:
    """Before each of them; raises `Unwanted`."""
    for source in sources:
        work.make_way()
        yield source


class _Hours:
    """When a run has to end, and when a checkpoint is due; time in which it makes way is no time.

    Args:
        most: seconds of the whole run.
        between: seconds from one checkpoint to the next.
    """

    def __init__(self, most: float, between: float) -> None:
        now = time.monotonic()
        self._end, self._saved, self._between = now + most, now, between

    @property
    def are_over(self) -> bool:
        return time.monotonic() >= self._end

    @property
    def checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._saved >= self._between

    def saved(self) -> None:
        self._saved = time.monotonic()

    def made_way(self, seconds: float) -> None:
        self._end += seconds
        self._saved += seconds


def _run_steps(work: Work, rows: tuple[Row, ...], recipe: Recipe) -> bool:
    """Returns whether the run was asked to stop before its end; a checkpoint goes in any case."""
    job, bank, way = work.job, work.bank, work.way
    hours = _Hours(
        float(job.parameters["max_seconds"]), float(job.parameters["checkpoint_seconds"])
    )

    def pausing() -> bool:
        way.work_done(work.answer)
        return hours.checkpoint_is_due

    def save() -> None:
        hours.saved()
        work.answer("checkpoint", run.state(), step=run.step, micro_batches=run.finished)

    with bank.training(CANDIDATE) as parameters:
        run = Finetune(
            work.base.model,
            parameters,
            rows,
            recipe.finetune,
            wanted=lambda: way.is_wanted() or job.unwanted,
            pausing=pausing,
            bare=bank.bare,
        )
        checkpoint = taken(job, "checkpoint")
        if checkpoint is not None:
            run.restore(checkpoint)
        del checkpoint
        work.answer("resumed", step=run.step, tokens=run.tokens_done)
    for event in _with_candidate(work, run.steps()):
        if isinstance(event, Interrupted):
            hours.made_way(way.make(job, work.answer, event.seconds))
            if job.cancelled.is_set():  # nobody takes a checkpoint any more
                raise Unwanted
        elif isinstance(event, StepDone):
            work.answer(
                "step",
                step=event.step,
                steps=event.steps,
                loss=event.loss,
                tokens=event.tokens,
                seconds=event.seconds,
                engine_bytes=own_bytes(),
            )
        if job.stop.is_set():
            save()
            return True
        if hours.checkpoint_is_due:
            save()
        if hours.are_over and not isinstance(event, MicroBatchDone):
            break
    save()  # what follows may be broken off
    return False


def _with_candidate(work: Work, steps: Iterator[Any]) -> Iterator[Any]:
    """Each step runs with the candidate active; between steps others may have the model."""
    while True:
        with work.bank.training(CANDIDATE):
            event = next(steps, None)
        if event is None:
            return
        yield event


def _shrink(work: Work, start: dict[str, torch.Tensor], recipe: Recipe) -> None:
    """Keep as much of the night as general ability allows; answers with `shrunk`."""
    tuning = general_examples(split_general(samples(work.job)).tuning, Role.GENERAL)
    if not tuning:
        return
    model, bank = work.base.model, work.bank
    stacked = list(batches(pack_rows(tuning, recipe.row_tokens), ROWS_AT_ONCE))

    def divergence() -> float:
        found = []
        for batch in stacked:
            one = None
            while one is None:
                work.make_way()
                with suppress(BorderReached), bank.serving(CANDIDATE):
                    one = divergence_from_base(model, batch, bank.bare, work.border())
            found.append(one)
        return float(torch.cat(found).mean())

    budget = recipe.general_budget * work.general_loss(tuning, None)
    shrunk = shrink_to_budget(bank.parameters(CANDIDATE), start, divergence, budget)
    work.answer("shrunk", share=shrunk.share, divergence=shrunk.divergence)
