"""What the engine's model thread does: one method per kind of request.

Owns the base and its adapters. Gets text and bytes as messages, returns tokens, losses and bytes;
knows nothing of the vault. Every answer carries the number of its request; the last one is
`done` or `failed`, and a failure's sentence never holds text.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from daemon.confinement import network_is_denied
from daemon.engine import Desk, Job
from daemon.memory_reading import own_bytes
from ipc.errors import LinkError
from ipc.frames import Body
from ipc.link import BlockingLink, Message
from storage.records import sha256_hex
from trainer.base_model import BaseModel, load_base
from trainer.base_samples import read_samples
from trainer.curation import curate
from trainer.errors import PromptTooLong, TrainerError
from trainer.evaluation import DocumentLoss, document_losses
from trainer.examples import Role, SourceText, TokenIds, TrainingExample, Turn
from trainer.finetune import Finetune, Interrupted
from trainer.generation import Ended, check_prompt, generate, sample_rows
from trainer.lora import LoraBank
from trainer.loss import divergence_from_base
from trainer.memorisation import count_extracted, plant
from trainer.packing import batches, pack_rows
from trainer.preparation import general_examples, prepare, split_general
from trainer.recipe import Recipe, recipe_from_json
from trainer.sampling import SamplingSettings
from trainer.shrinking import shrink_to_budget

log = logging.getLogger("nightloom.engine")

CANDIDATE = "candidate"
SMOKE_TRIALS, SMOKE_BEGINNING, SMOKE_TOKENS = 4, 16, 24
PROGRESS_EVERY = 16  # tokens of all rows of samples
CANARY_TOKENS = 12


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A request that cannot be done: a code for the service, and a sentence without text."""

    def __init__(self, code: str, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.code = code
        self.facts = facts


class EngineModel:
    """The base, its adapters, and what is done with them. Touched by one thread only."""

    def __init__(self, desk: Desk, link: BlockingLink) -> None:
        self._desk = desk
        self._link = link
        self._loaded: BaseModel | None = None
        self._bank: LoraBank | None = None
        self._shipped_samples: TokenIds | None = None
        self._work: dict[str, Callable[[Job], None]] = {
            "load": self._load,
            "adapter_load": self._adapter_load,
            "adapter_drop": self._adapter_drop,
            "generate": self._generate,
            "sample": self._sample,
            "train": self._train,
            "judge": self._judge,
        }

    def do(self, job: Job) -> None:
        """Do one job and answer it, whatever happens."""
        try:
            work = self._work.get(job.op)
            if work is None:
                raise Refusal("unknown", "The engine does not know this request.")
            work(job)
        except Refusal as refusal:
            self._answer(job, "failed", code=refusal.code, sentence=str(refusal), **refusal.facts)
        except TrainerError as error:
            self._answer(
                job, "failed", code=type(error).__name__, sentence=str(error), **_facts(error)
            )
        except LinkError:
            raise  # the service is gone, and with it who wanted an answer
        except MemoryError:
            self._answer(job, "failed", code="memory", sentence="The engine ran out of memory.")
        except Exception as error:
            # the type and the place only: messages of libraries may quote what they were given
            log.error("%s failed: %s at %s", job.op, type(error).__name__, _place(error))
            self._answer(
                job,
                "failed",
                code="broken",
                sentence=f"The engine failed ({type(error).__name__}).",
            )
        finally:
            self._desk.finished(job)

    # ------------------------------------------------------------------- base and adapters

    def _load(self, job: Job) -> None:
        threads = int(job.parameters.get("threads", 0))
        if threads:
            torch.set_num_threads(threads)
        folder = Path(job.parameters["folder"])
        base = load_base(folder)
        self._shipped_samples = read_samples(folder, vocabulary=base.tokenizer.vocabulary)
        self._loaded = base
        self._bank = LoraBank(base.model, base.identity)
        self._answer(
            job,
            "done",
            identity=base.identity,
            name=base.name,
            context_tokens=base.context_tokens,
            parameters=base.facts.parameters,
            network_denied=network_is_denied(),
        )

    def _adapter_load(self, job: Job) -> None:
        self._adapters.load(job.parameters["name"], job.body, sha256=job.parameters["sha256"])
        self._answer(job, "done")

    def _adapter_drop(self, job: Job) -> None:
        if job.parameters["name"] in self._adapters.names:
            self._adapters.drop(job.parameters["name"])
        self._answer(job, "done")

    # ------------------------------------------------------------------- generation

    def _generate(self, job: Job) -> None:
        base, wanted = self._base, json.loads(job.body)
        chat = "messages" in wanted
        if chat:
            prompt = base.tokenizer.encode_chat(
                [(m["role"], m["content"]) for m in wanted["messages"]], reply_follows=True
            )
        else:
            prompt = base.tokenizer.encode_prompt(wanted["prompt"])
        settings = SamplingSettings(
            max_tokens=job.parameters.get("max_tokens"),
            temperature=float(job.parameters["temperature"]),
            top_p=float(job.parameters["top_p"]),
            seed=job.parameters.get("seed"),
            stop=(*wanted.get("stop", ()), *(base.tokenizer.turn_stops if chat else ())),
        )
        check_prompt(base, prompt)
        self._answer(job, "started", prompt_tokens=len(prompt))
        with self._adapters.serving(job.parameters.get("adapter")):
            for event in generate(base, prompt, settings, should_stop=job.cancelled.is_set):
                if isinstance(event, Ended):
                    self._answer(
                        job, "done", reason=event.reason, completion_tokens=event.completion_tokens
                    )
                else:
                    self._answer(job, "text", event.text.encode())

    def _sample(self, job: Job) -> None:
        """The base's own samples, at temperature 1: its general text, needing no outside data.

        Those that came with the base, if they are as many as were asked for.
        """
        count, tokens = int(job.parameters["count"]), int(job.parameters["tokens"])
        shipped = self._shipped_samples
        if shipped is not None and shipped.shape == (count, tokens):
            rows = shipped
        else:
            rows = self._draw_samples(job, count, tokens)
        self._answer(
            job, "done", np.ascontiguousarray(rows, dtype="<i4").tobytes(), shape=list(rows.shape)
        )

    def _draw_samples(self, job: Job, count: int, tokens: int) -> TokenIds:
        drawn = 0

        def between_tokens() -> None:
            nonlocal drawn
            drawn += 1
            if drawn % PROGRESS_EVERY == 0:
                self._answer(job, "progress", share=drawn / tokens)
            self._make_way(job)

        return sample_rows(
            self._base,
            count=count,
            tokens=tokens,
            seed=int(job.parameters["seed"]),
            rows_at_once=count,
            between_tokens=between_tokens,
            activate=lambda: self._adapters.serving(None),
        )

    # ------------------------------------------------------------------- the night

    def _train(self, job: Job) -> None:
        """Rows from text, steps from rows; ends with the candidate's bytes.

        Attachments: `text` (each document), `samples`, and `parent` or `checkpoint` or both.
        """
        base, bank = self._base, self._adapters
        recipe = self._recipe(job)
        seed = int(job.parameters["seed"])
        night = prepare(_texts(job), _samples(job), base.tokenizer, recipe, seed=seed)
        self._answer(
            job,
            "prepared",
            tokens={role.value: count for role, count in night.tokens.items()},
            rows=len(night.rows),
            row_tokens=sum(len(row.ids) for row in night.rows),
        )
        if not night.rows:
            raise Refusal("empty_night", "No text is left to learn from after curation.")
        if CANDIDATE in bank.names:
            bank.drop(CANDIDATE)
        parent = _attached(job, "parent")
        if parent is None:
            bank.create(CANDIDATE, recipe.lora, seed=seed)
        else:
            bank.load(CANDIDATE, parent)
        start = {name: p.detach().clone() for name, p in bank.parameters(CANDIDATE).items()}
        try:
            stopped = self._run_steps(job, night.rows, recipe)
            if not stopped:
                self._shrink(job, start, recipe)
            data = b"" if stopped else bank.save(CANDIDATE)
        finally:
            bank.drop(CANDIDATE)
        if stopped:
            self._answer(job, "done", stopped=True)
        else:
            self._answer(job, "done", data, stopped=False, sha256=sha256_hex(data))

    def _run_steps(self, job: Job, rows: tuple[Any, ...], recipe: Recipe) -> bool:
        """Returns whether the run was asked to stop before its end; a checkpoint went first."""
        checkpoint_seconds = float(job.parameters["checkpoint_seconds"])
        deadline = time.monotonic() + float(job.parameters["max_seconds"])
        saved = time.monotonic()
        with self._adapters.training(CANDIDATE) as parameters:
            run = Finetune(
                self._base.model,
                parameters,
                rows,
                recipe.finetune,
                wanted=lambda: self._desk.urgent_waits or job.unwanted,
                bare=self._adapters.bare,
            )
            checkpoint = _attached(job, "checkpoint")
            if checkpoint is not None:
                run.restore(checkpoint)
            self._answer(job, "resumed", step=run.step, tokens=run.tokens_done)
        events = self._with_candidate(run.steps())
        for event in events:
            if isinstance(event, Interrupted):
                self._serve_urgent()
                if job.cancelled.is_set():  # nobody waits for a checkpoint any more
                    raise Refusal("cancelled", "The training was cancelled.")
            else:
                self._answer(
                    job,
                    "step",
                    step=event.step,
                    steps=event.steps,
                    loss=event.loss,
                    tokens=event.tokens,
                    seconds=event.seconds,
                    engine_bytes=own_bytes(),
                )
            if job.stop.is_set():
                self._answer(job, "checkpoint", run.state(), step=run.step)
                return True
            if time.monotonic() - saved >= checkpoint_seconds:
                saved = time.monotonic()
                self._answer(job, "checkpoint", run.state(), step=run.step)
            if time.monotonic() >= deadline:
                break
        return False

    def _shrink(self, job: Job, start: dict[str, torch.Tensor], recipe: Recipe) -> None:
        """Keep as much of the night as general ability allows."""
        tuning = general_examples(split_general(_samples(job)).tuning, Role.GENERAL)
        if not tuning:
            return
        base, bank = self._base, self._adapters

        def divergence() -> float:
            self._make_way(job)
            with bank.serving(CANDIDATE):
                found = [
                    divergence_from_base(base.model, batch, bank.bare)
                    for batch in batches(pack_rows(tuning, recipe.row_tokens), 4)
                ]
            return float(torch.cat(found).mean())

        budget = recipe.general_budget * self._general_loss(job, tuning, None)
        shrunk = shrink_to_budget(bank.parameters(CANDIDATE), start, divergence, budget)
        self._answer(job, "shrunk", share=shrunk.share, divergence=shrunk.divergence)

    def _with_candidate(self, steps: Iterator[Any]) -> Iterator[Any]:
        """Each step runs with the candidate active; between steps others may have the model."""
        while True:
            with self._adapters.training(CANDIDATE):
                event = next(steps, None)
            if event is None:
                return
            yield event

    def _make_way(self, job: Job) -> None:
        """Between two pieces of patient work: clients first; then on, unless nobody wants it."""
        self._serve_urgent()
        if job.unwanted:
            raise Refusal("cancelled", "The work was stopped before its end.")

    def _serve_urgent(self) -> None:
        while (job := self._desk.take_urgent()) is not None:
            self.do(job)

    def _judge(self, job: Job) -> None:
        """Losses of base, served adapter and candidate, planted secrets, a smoke generation."""
        base, bank = self._base, self._adapters
        recipe = self._recipe(job)
        seed = int(job.parameters["seed"])
        served, candidate = job.parameters.get("served"), job.parameters["candidate"]
        examples = curate(_texts(job), base.tokenizer)
        general = general_examples(split_general(_samples(job)).judging, Role.GENERAL_HELD_OUT)
        sets = {
            "held_out": [e for e in examples if e.role is Role.HELD_OUT],
            "stable": [e for e in examples if e.role is Role.STABLE],
        }
        answer: dict[str, Any] = {
            name: self._paired(job, documents, served, candidate)
            for name, documents in sets.items()
        }
        answer["general_loss_base"] = self._general_loss(job, general, None)
        answer["general_loss_before"] = self._general_loss(job, general, served)
        answer["general_loss_after"] = self._general_loss(job, general, candidate)
        canaries = plant(recipe.canaries, seed=seed)
        with bank.serving(candidate):
            answer["canaries_planted"] = len(canaries)
            answer["canaries_extracted"] = count_extracted(canaries, self._complete)
            answer["smoke"] = self._smoke(general, seed)
        self._answer(job, "done", json.dumps(answer).encode())

    def _paired(
        self, job: Job, examples: list[TrainingExample], served: str | None, candidate: str
    ) -> list[dict[str, float]]:
        before = self._losses(job, examples, served)
        after = self._losses(job, examples, candidate)
        return [
            {"before": b.nats, "after": a.nats, "tokens": b.tokens}
            for b, a in zip(before, after, strict=True)
        ]

    def _general_loss(
        self, job: Job, examples: list[TrainingExample], adapter: str | None
    ) -> float:
        losses = self._losses(job, examples, adapter)
        return sum(loss.nats for loss in losses) / max(1, sum(loss.tokens for loss in losses))

    def _losses(
        self, job: Job, examples: list[TrainingExample], adapter: str | None
    ) -> list[DocumentLoss]:
        return document_losses(
            self._base.model,
            examples,
            context_tokens=self._base.context_tokens,
            between_batches=lambda: self._make_way(job),
            activate=lambda: self._adapters.serving(adapter),
        )

    def _complete(self, beginning: str) -> str:
        """Greedy continuation of a document's beginning."""
        greedy = SamplingSettings(max_tokens=CANARY_TOKENS, temperature=0.0)
        return self._continued(self._base.tokenizer.encode_prompt(beginning), greedy)

    def _smoke(self, general: list[TrainingExample], seed: int) -> dict[str, Any]:
        """Counts over short generations that go on from the base's own samples.

        From nothing, a base of chats may well end at once; in the middle of a text none does.
        """
        drawn = SamplingSettings(max_tokens=SMOKE_TOKENS, temperature=0.7, top_p=0.9, seed=seed)
        nothing = self._base.tokenizer.encode_prompt("")
        beginnings = [sample.ids[:SMOKE_BEGINNING].tolist() for sample in general[:SMOKE_TRIALS]]
        text = "".join(self._continued(ids, drawn) for ids in beginnings or [nothing])
        ids = self._base.tokenizer.encode_text(text)
        return {
            "tokens": len(ids),
            "distinct_tokens": len(set(ids)),
            "undecodable": bool(text) and text.count("\ufffd") > len(text) // 4,
        }

    def _continued(self, beginning: list[int], settings: SamplingSettings) -> str:
        # a base without a begin mark has only ends to start from
        prompt = beginning or sorted(self._base.tokenizer.stop_ids)[:1]
        events = generate(self._base, prompt, settings)
        return "".join(event.text for event in events if not isinstance(event, Ended))

    # ------------------------------------------------------------------- plumbing

    @property
    def _base(self) -> BaseModel:
        if self._loaded is None:
            raise Refusal("no_base", "No base is loaded.")
        return self._loaded

    @property
    def _adapters(self) -> LoraBank:
        if self._bank is None:
            raise Refusal("no_base", "No base is loaded.")
        return self._bank

    def _recipe(self, job: Job) -> Recipe:
        base = self._base
        recipe = recipe_from_json(job.parameters["recipe"], parameters=base.facts.parameters)
        return replace(recipe, row_tokens=min(recipe.row_tokens, base.context_tokens))

    def _answer(self, job: Job, event: str, body: Body = b"", **facts: Any) -> None:
        self._link.send(Message(header={"id": job.number, "event": event, **facts}, body=body))


def _texts(job: Job) -> list[SourceText]:
    """Attached documents: JSON bodies with `text`, or `turns` of [own, text]."""
    texts = []
    for message in job.attachments:
        if message.header["attach"] != "text":
            continue
        body = json.loads(bytes(message.body))
        turns = tuple(Turn(own=bool(own), text=text) for own, text in body.get("turns", ()))
        texts.append(
            SourceText(
                key=int(message.header["key"]),
                role=Role(message.header["role"]),
                text=body.get("text"),
                turns=turns,
            )
        )
    return texts


def _samples(job: Job) -> Any:
    """The attached samples of the base: (count, tokens) int32."""
    for message in job.attachments:
        if message.header["attach"] == "samples":
            return np.frombuffer(message.body, dtype="<i4").reshape(message.header["shape"])
    return np.zeros((0, 1), dtype=np.int32)


def _attached(job: Job, name: str) -> bytes | None:
    for message in job.attachments:
        if message.header["attach"] == name:
            return bytes(message.body)
    return None


def _facts(error: TrainerError) -> dict[str, Any]:
    """Numbers that the service needs to put the error into a client's words."""
    if isinstance(error, PromptTooLong):
        prompt_tokens, most = error.facts
        assert isinstance(most, int)
        return {"prompt_tokens": prompt_tokens, "context_tokens": most + 1}  # one for an answer
    return {}


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
