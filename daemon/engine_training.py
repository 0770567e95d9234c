"""A night's training: rows from text, steps from rows, a candidate's bytes at the end."""

import time
from collections.abc import Iterator
from typing import Any

import torch

from daemon.engine_attachments import attached, samples, texts
from daemon.engine_work import Refusal, Unwanted, Work
from daemon.memory_reading import own_bytes
from storage.records import sha256_hex
from trainer.border import Border, BorderReached
from trainer.examples import Role, Row
from trainer.finetune import Finetune, Interrupted
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
    night = prepare(texts(job), samples(job), work.base.tokenizer, recipe, seed=seed)
    work.answer(
        "prepared",
        tokens={role.value: count for role, count in night.tokens.items()},
        rows=len(night.rows),
        row_tokens=sum(len(row.ids) for row in night.rows),
    )
    if not night.rows:
        raise Refusal("empty_night", "No text is left to learn from after curation.")
    parent = attached(job, "parent")
    if parent is None:
        bank.create(CANDIDATE, recipe.lora, seed=seed)
    else:
        bank.load(CANDIDATE, parent)
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


def _run_steps(work: Work, rows: tuple[Row, ...], recipe: Recipe) -> bool:
    """Returns whether the run was asked to stop before its end; a checkpoint goes in any case."""
    job, bank = work.job, work.bank
    checkpoint_seconds = float(job.parameters["checkpoint_seconds"])
    deadline = time.monotonic() + float(job.parameters["max_seconds"])
    saved = time.monotonic()
    with bank.training(CANDIDATE) as parameters:
        run = Finetune(
            work.base.model,
            parameters,
            rows,
            recipe.finetune,
            wanted=lambda: work.urgent_waits() or job.unwanted,
            bare=bank.bare,
        )
        checkpoint = attached(job, "checkpoint")
        if checkpoint is not None:
            run.restore(checkpoint)
        work.answer("resumed", step=run.step, tokens=run.tokens_done)
    for event in _with_candidate(work, run.steps()):
        if isinstance(event, Interrupted):
            work.serve_urgent()
            if job.cancelled.is_set():  # nobody takes a checkpoint any more
                raise Unwanted
        else:
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
            work.answer("checkpoint", run.state(), step=run.step)
            return True
        if time.monotonic() - saved >= checkpoint_seconds:
            saved = time.monotonic()
            work.answer("checkpoint", run.state(), step=run.step)
        if time.monotonic() >= deadline:
            break
    work.answer("checkpoint", run.state(), step=run.step)  # what follows may be broken off
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
    border = Border(lambda: work.job.unwanted)
    stacked = list(batches(pack_rows(tuning, recipe.row_tokens), ROWS_AT_ONCE))

    def divergence() -> float:
        found = []
        for batch in stacked:
            work.make_way()
            try:
                with bank.serving(CANDIDATE):
                    found.append(divergence_from_base(model, batch, bank.bare, border))
            except BorderReached:
                raise Unwanted from None
        return float(torch.cat(found).mean())

    budget = recipe.general_budget * work.general_loss(tuning, None)
    shrunk = shrink_to_budget(bank.parameters(CANDIDATE), start, divergence, budget)
    work.answer("shrunk", share=shrunk.share, divergence=shrunk.divergence)
