"""Clients' chats on the model thread, answered together: a row each, one step for all at a time.

A chat opens the loop, others join it between two steps, and it ends when no row is left. Between
two steps everything else that a client waits for is done as well: words to patient work, adapters
that come or go. A row whose client hung up is gone within a step. What is wrong with one request
answers that one only; a step that breaks answers all that were in it, and the next ones find an
engine that works.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.engine import Desk, Job
from daemon.engine_answers import Answers
from daemon.engine_way import Way
from daemon.engine_work import Refusal
from daemon.errors import AdapterTakenAway
from trainer.base_model import BaseModel
from trainer.generation import check_prompt
from trainer.row_batch import Row, RowBatch
from trainer.row_text import Piece, RowText, TokenChance
from trainer.sampling import Drawn, SamplingSettings

SETTINGS = (
    "max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty",
    "presence_penalty", "frequency_penalty", "seed", "logprobs",
)  # fmt: skip


class AdapterGone(Refusal):
    """The adapter was dropped while it answered."""

    def __init__(self) -> None:
        super().__init__(AdapterTakenAway.CODE, "The adapter that answered was taken away.")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A chat, read: it only needs a row."""

    job: Job
    prompt: list[int]
    settings: SamplingSettings
    limit: int  # tokens of the answer

    @property
    def adapter(self) -> str | None:
        name: str | None = self.job.parameters.get("adapter")
        return name


@dataclass(frozen=True, slots=True)
class _Chat:
    """A chat that has a row."""

    asked: _Asked
    row: Row
    text: RowText


class EngineChats:
    """All chats of one base. Touched by the model thread only.

    Args:
        rows: makes an empty batch; again after a step broke.
        do: does an urgent job that is no chat.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        way: Way,
        base: BaseModel,
        rows: Callable[[], RowBatch],
        answers: Answers,
        do: Callable[[Job], None],
    ) -> None:
        self._desk = desk
        self._way = way
        self._base = base
        self._make_rows = rows
        self._rows = rows()
        self._answers = answers
        self._do = do
        self._chats: dict[int, _Chat] = {}  # by the number of the job
        self._next: _Asked | None = None  # has been read, and waits for room

    def answer(self, first: Job) -> None:
        """This chat and all that join it, until no row is left."""
        self._way.chats_begin()
        self._read(first)
        while True:
            while (short := self._desk.take_urgent(chats=False)) is not None:
                self._do(short)
            self._drop_unwanted()
            if self._way.chats_passed():
                self._let_in()
            if not self._chats:
                break
            self._step()
        if self._next is not None:  # patient work goes first
            waiting, self._next = self._next, None
            self._desk.put_back(waiting.job)

    def drop_adapter(self, name: str) -> None:
        """It answers nobody any more, and nothing that was made with it is kept."""
        for chat in tuple(self._chats.values()):
            if chat.asked.adapter == name:
                self._drop(chat)
                self._answers.fail(chat.asked.job, AdapterGone())
        self._rows.forget(name)

    # ------------------------------------------------------------------- in

    def _let_in(self) -> None:
        """As many as there is room for, in the order in which they came."""
        while True:
            if self._next is None:
                job = self._desk.take_chat()
                if job is None:
                    return
                self._read(job)
            if self._next is not None and not self._give_row():
                return

    def _read(self, job: Job) -> None:
        """Leaves it as the next that gets a row, unless it is answered already."""
        with self._answers.failing(job):
            self._next = _read(job, self._base)

    def _give_row(self) -> bool:
        """Whether the next one has got a row, or an answer; one alone always has room."""
        asked = self._next
        assert asked is not None
        if self._chats and not self._rows.fits(len(asked.prompt), asked.limit):
            return False
        self._next = None
        with self._answers.failing(asked.job):
            row = self._rows.add(asked.prompt, asked.settings, asked.adapter)
            text = RowText(self._base.tokenizer, asked.settings, asked.limit)
            self._chats[asked.job.number] = _Chat(asked, row, text)
            self._answers.send(
                asked.job,
                "started",
                prompt_tokens=row.prompt_tokens,
                reused_tokens=row.reused_tokens,
            )
        return True

    # ------------------------------------------------------------------- out

    def _drop_unwanted(self) -> None:
        for chat in tuple(self._chats.values()):
            if chat.asked.job.unwanted:
                self._end(chat)
        if self._next is not None and self._next.job.unwanted:
            unwanted, self._next = self._next, None
            self._answers.end(unwanted.job, reason="cancelled", completion_tokens=0)

    def _step(self) -> None:
        try:
            drawn = self._rows.turn()
        except Exception as error:
            self._break(error)
            return
        chats = {id(chat.row): chat for chat in self._chats.values()}
        for row, one in drawn:
            chat = chats.get(id(row))
            if chat is not None:
                self._push(chat, one)

    def _push(self, chat: _Chat, drawn: Drawn) -> None:
        broken = True
        with self._answers.failing(chat.asked.job):
            self._say(chat, chat.text.push(drawn))
            broken = False
        if broken:
            self._drop(chat)
        elif chat.text.ended is not None:
            self._end(chat)

    def _say(self, chat: _Chat, piece: Piece | None) -> None:
        if piece is None:
            return
        if chat.asked.settings.logprobs is None:
            self._answers.send(chat.asked.job, "text", piece.text.encode())
        else:
            told = {"text": piece.text, "chances": [_told(one) for one in piece.chances]}
            body = json.dumps(told, ensure_ascii=False).encode()
            self._answers.send(chat.asked.job, "text", body, chances=True)

    def _end(self, chat: _Chat) -> None:
        self._drop(chat)
        with self._answers.failing(chat.asked.job):
            piece, ended = chat.text.finish()
            self._say(chat, piece)
            self._answers.end(
                chat.asked.job, reason=ended.reason, completion_tokens=ended.completion_tokens
            )

    def _drop(self, chat: _Chat) -> None:
        del self._chats[chat.asked.job.number]
        self._rows.drop(chat.row)

    def _break(self, error: Exception) -> None:
        """Nothing that the rows were in the middle of can be trusted."""
        broken, self._chats = tuple(self._chats.values()), {}
        self._rows = self._make_rows()
        for chat in broken:
            self._answers.fail(chat.asked.job, error)


def _read(job: Job, base: BaseModel) -> _Asked:
    """Raises `PromptTooLong` and others of `GenerationError`."""
    wanted = json.loads(job.body)
    chat = "messages" in wanted
    if chat:
        turns = [(turn["role"], turn["content"]) for turn in wanted["messages"]]
        prompt = base.tokenizer.encode_chat(turns, reply_follows=True)
    else:
        prompt = base.tokenizer.encode_prompt(wanted["prompt"])
    given = {name: job.parameters[name] for name in SETTINGS if name in job.parameters}
    stop = (*wanted.get("stop", ()), *(base.tokenizer.turn_stops if chat else ()))
    settings = SamplingSettings(**given, stop=stop)
    check_prompt(base, prompt)
    room = base.context_tokens - len(prompt)
    return _Asked(job, prompt, settings, min(settings.max_tokens or room, room))


def _told(chance: TokenChance) -> dict[str, Any]:
    told: dict[str, Any] = {
        "token": chance.token,
        "bytes": list(chance.bytes),
        "logprob": chance.logprob,
    }
    if chance.likeliest:
        told["likeliest"] = [_told(one) for one in chance.likeliest]
    return told
