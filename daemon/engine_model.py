"""What the engine's model thread does: every request by its kind.

Owns the base and its adapters and draws samples; chats, a night's training and its judging have
modules of their own. Gets text and bytes as messages, returns tokens, losses and bytes; knows
nothing of the vault. Every answer carries the number of its request (`engine_answers.py`).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from daemon.confinement import network_is_denied
from daemon.engine import CHATS, Desk, Job
from daemon.engine_answers import Answers
from daemon.engine_chats import EngineChats
from daemon.engine_judging import judge
from daemon.engine_training import train
from daemon.engine_way import Way
from daemon.engine_work import Refusal, Unwanted, Work
from daemon.memory_reading import available_bytes
from ipc.link import BlockingLink
from trainer.base_model import BaseModel, load_base
from trainer.base_samples import read_samples
from trainer.examples import TokenIds
from trainer.generation import sample_rows
from trainer.geometry import read_geometry
from trainer.lora import LoraBank
from trainer.memory_terms import Adapted
from trainer.row_batch import RowBatch
from trainer.served_adapters import ServedAdapters
from trainer.serving_plan import rows_budget
from trainer.sizes import sizes_of

PROGRESS_EVERY = 16  # tokens of all rows of samples
LIBRARIES_SHARE = 0.8  # of the time that loading takes, when the first request can be read


class EngineModel:
    """The base, its adapters, and what is done with them. Touched by one thread only."""

    def __init__(self, desk: Desk, link: BlockingLink) -> None:
        self._desk = desk
        self._answers = Answers(desk, link)
        self._loaded: _Loaded | None = None
        self._way = Way(desk, self.do)
        self._work: dict[str, Callable[[Job], None]] = {
            "load": self._load,
            "adapter_load": self._adapter_load,
            "adapter_drop": self._adapter_drop,
            "sample": self._sample,
            "hold": self._hold,
            "go_on": self._go_on,
            "train": lambda job: train(self._work_on(job)),
            "judge": lambda job: judge(self._work_on(job)),
        }

    def do(self, job: Job) -> None:
        """Do one job and answer it, whatever happens; of chats, all that join it."""
        if job.op in CHATS:
            self._chat(job)
            return
        with self._answers.failing(job):
            work = self._work.get(job.op)
            if work is None:
                raise Refusal("unknown", "The engine does not know this request.")
            work(job)
            self._desk.finished(job)

    # ------------------------------------------------------------------- base and adapters

    def _load(self, job: Job) -> None:
        """Answers with `progress`, a share of how long it takes about."""
        threads = int(job.parameters.get("threads", 0))
        if threads:
            torch.set_num_threads(threads)
        self._loaded = None
        folder = Path(job.parameters["folder"])
        progress = functools.partial(self._progress, job)
        progress(LIBRARIES_SHARE)
        base = load_base(
            folder, progress=lambda share: progress(LIBRARIES_SHARE + (1 - LIBRARIES_SHARE) * share)
        )
        room = _rows_bytes(base, folder, job.parameters.get("memory_bytes"))
        self._loaded = self._around(base, room)
        self._loaded.samples = read_samples(folder, vocabulary=base.tokenizer.vocabulary)
        self._answers.send(
            job,
            "done",
            identity=base.identity,
            name=base.name,
            context_tokens=base.context_tokens,
            parameters=base.facts.parameters,
            network_denied=network_is_denied(),
        )

    def _around(self, base: BaseModel, rows_bytes: int) -> "_Loaded":
        adapters = ServedAdapters(base)
        self._desk.unpack = functools.partial(_unpack, adapters)
        chats = EngineChats(
            desk=self._desk,
            way=self._way,
            base=base,
            rows=functools.partial(RowBatch, base, adapters, memory_bytes=rows_bytes),
            answers=self._answers,
            do=self.do,
        )
        bank = LoraBank(base.model, base.identity)
        return _Loaded(base=base, bank=bank, adapters=adapters, chats=chats)

    def _adapter_load(self, job: Job) -> None:
        adapters = self._on_base.adapters
        if job.unwanted:
            raise Unwanted
        if isinstance(job.unpacked, Exception):
            raise job.unpacked
        adapters.adopt(job.unpacked)
        self._answers.send(job, "done")

    def _adapter_drop(self, job: Job) -> None:
        loaded, name = self._on_base, job.parameters["name"]
        loaded.chats.drop_adapter(name)
        if name in loaded.adapters.names:
            loaded.adapters.drop(name)
        self._answers.send(job, "done")

    # ------------------------------------------------------------------- clients

    def _chat(self, job: Job) -> None:
        if self._loaded is None:
            self._answers.fail(job, NoBase())
        else:
            self._loaded.chats.answer(job)

    # ------------------------------------------------------------------- patient work

    def _hold(self, job: Job) -> None:
        """Nothing patient is computed when this is answered, nor before `go_on`."""
        self._desk.held = True
        self._answers.send(job, "done")

    def _go_on(self, job: Job) -> None:
        self._desk.held = False
        self._answers.send(job, "done")

    def _sample(self, job: Job) -> None:
        """The base's own samples, at temperature 1: its general text, needing no outside data.

        Those that came with the base, if they are as many as were asked for.
        """
        count, tokens = int(job.parameters["count"]), int(job.parameters["tokens"])
        shipped = self._on_base.samples
        if shipped is not None and shipped.shape == (count, tokens):
            rows = shipped
        else:
            rows = self._draw_samples(job, count, tokens)
        body = np.ascontiguousarray(rows, dtype="<i4").tobytes()
        self._answers.send(job, "done", body, shape=list(rows.shape))

    def _draw_samples(self, job: Job, count: int, tokens: int) -> TokenIds:
        drawn, work = 0, self._work_on(job)

        def between_tokens() -> None:
            nonlocal drawn
            drawn += 1
            if drawn % PROGRESS_EVERY == 0:
                self._progress(job, drawn / tokens)
            work.make_way()

        return sample_rows(
            work.base,
            count=count,
            tokens=tokens,
            seed=int(job.parameters["seed"]),
            rows_at_once=count,
            between_tokens=between_tokens,
            activate=lambda: work.bank.serving(None),
            border=work.border(),
        )

    # ------------------------------------------------------------------- plumbing

    def _progress(self, job: Job, share: float) -> None:
        self._answers.send(job, "progress", share=share)

    @property
    def _on_base(self) -> "_Loaded":
        if self._loaded is None:
            raise NoBase
        return self._loaded

    def _work_on(self, job: Job) -> Work:
        loaded = self._on_base
        return Work(
            job=job,
            base=loaded.base,
            bank=loaded.bank,
            adapters=loaded.adapters,
            answer=functools.partial(self._answers.send, job),
            way=self._way,
        )


@dataclass(kw_only=True)
class _Loaded:
    """A base and what lives on it."""

    base: BaseModel
    bank: LoraBank  # what nights make and judge
    adapters: ServedAdapters  # what answers clients
    chats: EngineChats
    samples: TokenIds | None = None  # that came with the base


class NoBase(Refusal):
    """Something was asked before `load`."""

    def __init__(self) -> None:
        super().__init__("no_base", "No base is loaded.")


def _rows_bytes(base: BaseModel, folder: Path, configured_bytes: int | None) -> int:
    """Memory for chats: their keys and values, and beginnings that are kept for the next."""
    sizes = sizes_of({}, context_tokens=base.context_tokens)
    geometry = read_geometry(folder)
    rank = min(sizes.rank, geometry.largest_rank)
    adapted = Adapted(geometry=geometry, rank=rank, compute_bytes=base.compute_dtype.itemsize)
    usable = available_bytes() if configured_bytes is None else configured_bytes
    return rows_budget(adapted, context_tokens=base.context_tokens, usable_bytes=usable)


def _unpack(adapters: ServedAdapters, job: Job) -> Any:
    """On the unpacking thread."""
    data = bytes(job.body)
    return adapters.prepare(job.parameters["name"], data, sha256=job.parameters["sha256"])
