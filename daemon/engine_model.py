"""What the engine's model thread does: every request by its kind.

Owns the base and its adapters, generates and draws samples; a night's training and judging have
modules of their own. Gets text and bytes as messages, returns tokens, losses and bytes; knows
nothing of the vault. Every answer carries the number of its request; the last one is
`done` or `failed`, and a failure's sentence never holds text.
"""

import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from daemon.confinement import network_is_denied
from daemon.engine import Desk, Job
from daemon.engine_judging import judge
from daemon.engine_training import train
from daemon.engine_way import Way
from daemon.engine_work import Refusal, Work
from ipc.errors import LinkError
from ipc.frames import Body
from ipc.link import BlockingLink, Message
from trainer.base_model import BaseModel, load_base
from trainer.base_samples import read_samples
from trainer.errors import PromptTooLong, TrainerError
from trainer.examples import TokenIds
from trainer.generation import Ended, check_prompt, generate, sample_rows
from trainer.lora import LoraBank
from trainer.sampling import SamplingSettings

log = logging.getLogger("nightloom.engine")

PROGRESS_EVERY = 16  # tokens of all rows of samples


class EngineModel:
    """The base, its adapters, and what is done with them. Touched by one thread only."""

    def __init__(self, desk: Desk, link: BlockingLink) -> None:
        self._desk = desk
        self._link = link
        self._loaded: BaseModel | None = None
        self._bank: LoraBank | None = None
        self._shipped_samples: TokenIds | None = None
        self._way = Way(desk, self.do)
        self._work: dict[str, Callable[[Job], None]] = {
            "load": self._load,
            "adapter_load": self._adapter_load,
            "adapter_drop": self._adapter_drop,
            "generate": self._generate,
            "sample": self._sample,
            "hold": self._hold,
            "go_on": self._go_on,
            "train": lambda job: train(self._work_on(job)),
            "judge": lambda job: judge(self._work_on(job)),
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
            answering = functools.partial(self._adapters.serving, job.parameters.get("adapter"))
            stop = functools.partial(self._stop_generating, job)
            for event in generate(base, prompt, settings, should_stop=stop, activate=answering):
                if isinstance(event, Ended):
                    self._answer(
                        job, "done", reason=event.reason, completion_tokens=event.completion_tokens
                    )
                else:
                    self._answer(job, "text", event.text.encode())

    def _stop_generating(self, job: Job) -> bool:
        """Between two tokens; adapters that shall go do so now, but for the one that answers, and
        a word to patient work, which does not run now, is answered.
        """
        if job.cancelled.is_set():
            return True
        while (short := self._desk.take_short()) is not None:
            self.do(short)
        return False

    # ------------------------------------------------------------------- words to patient work

    def _hold(self, job: Job) -> None:
        """Nothing patient is computed when this is answered, nor before `go_on`."""
        self._desk.held = True
        self._answer(job, "done")

    def _go_on(self, job: Job) -> None:
        self._desk.held = False
        self._answer(job, "done")

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
        drawn, work = 0, self._work_on(job)

        def between_tokens() -> None:
            nonlocal drawn
            drawn += 1
            if drawn % PROGRESS_EVERY == 0:
                self._answer(job, "progress", share=drawn / tokens)
            work.make_way()

        return sample_rows(
            self._base,
            count=count,
            tokens=tokens,
            seed=int(job.parameters["seed"]),
            rows_at_once=count,
            between_tokens=between_tokens,
            activate=lambda: work.bank.serving(None),
            border=work.border(),
        )

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

    def _work_on(self, job: Job) -> Work:
        return Work(
            job=job,
            base=self._base,
            bank=self._adapters,
            answer=functools.partial(self._answer, job),
            way=self._way,
        )

    def _answer(self, job: Job, event: str, body: Body = b"", **facts: Any) -> None:
        self._link.send(Message(header={"id": job.number, "event": event, **facts}, body=body))


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
