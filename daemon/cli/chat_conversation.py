"""A conversation: lines come from a desk, answers from the service and go to the desk.

A thin shell: what a line means is decided in `chat_commands.py`, what is sent in `chat_talk.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.cli import text
from daemon.cli.chat_answer import Answer, Stream, answers
from daemon.cli.chat_commands import (
    COMMANDS,
    Act,
    Ask,
    Compare,
    Do,
    ForgetThis,
    Judge,
    Say,
    UseModel,
    understood,
)
from daemon.cli.chat_desk import Desk
from daemon.cli.chat_forgetting import forget_this
from daemon.cli.chat_talk import Talk
from daemon.cli.errors import CommandError
from daemon.cli.exits import sentence
from daemon.cli.reaching import administration
from ipc.errors import IpcError, PromptTooLong, UnknownModel
from ipc.inference import ModelInfo

if TYPE_CHECKING:
    from ipc.client import InferenceClient

TOO_LONG = (
    "The conversation is longer than the model's context: its beginning is not sent any more. "
    "/new begins anew."
)
AGAIN = "/retry asks it again."
BASE, PERSONAL = "base", "personal"
BOTH_BASE = "There is no adapter of this base yet, so both answers are the plain base's."


class Conversation:
    """From the first line to the last."""

    def __init__(self, client: "InferenceClient", desk: Desk, talk: Talk) -> None:
        self._client = client
        self._desk = desk
        self._talk = talk

    def hold(self) -> None:
        """Until it is left. Raises what `ask` raises where nobody is there to be told."""
        while (line := self._desk.next_line(self._talk)) is not None:
            self._talk, act = understood(self._talk, line, typed=self._desk.typed)
            if act == Do(what="leave"):
                return
            try:
                self._perform(act)
            except KeyboardInterrupt:
                if not self._desk.typed:
                    raise
                self._desk.complain("This was not waited for.")
            except (IpcError, CommandError) as error:
                if not (self._desk.typed or isinstance(act, Judge)):
                    raise
                self._desk.complain(sentence(error))

    def _perform(self, act: Act) -> None:
        match act:
            case Ask():
                self.ask(act.question)
            case Compare():
                self._compare(act.question)
            case Judge():
                self._judge(act)
            case ForgetThis():
                self._forget(act)
            case UseModel():
                self._use_model(act.name)
            case Say():
                (self._desk.complain if act.wrong else self._desk.say)(act.sentence)
            case Do(what="help"):
                self._desk.say(help_text())

    # ------------------------------------------------------------------- answers

    def ask(self, question: str) -> Answer:
        """Streams the answer to the desk. Raises IpcError where there is none.

        The oldest exchanges go when all is too long.
        """
        talk = self._talk
        while True:
            (answer,) = self._come(talk, [(talk.model, talk.train)], question)
            shorter = talk.shortened() if isinstance(answer.error, PromptTooLong) else None
            if shorter is None:
                break
            if talk is self._talk:
                self._desk.complain(TOO_LONG)
            talk = shorter
        self._settle(talk, question, answer, [answer])
        return answer

    def _compare(self, question: str) -> None:
        """The base's answer is only looked at: it is neither kept nor gone on from."""
        talk = self._talk
        other = PERSONAL if talk.model == BASE else talk.model
        found = self._come(talk, [(BASE, False), (other, talk.train)], question)
        self._settle(talk, question, found[1], found)
        if {answer.version for answer in found} == {BASE}:
            self._desk.say(BOTH_BASE)

    def _come(self, talk: Talk, models: Sequence[tuple[str, bool]], question: str) -> list[Answer]:
        names = [model for model, _ in models]
        streams: list[Stream] = [
            self._client.chat_events(talk.messages(question), model, talk.sampling, train=train)
            for model, train in models
        ]
        with self._desk.quiet():
            return answers(streams, names, self._desk.view(names))

    def _settle(self, talk: Talk, question: str, answer: Answer, shown: Sequence[Answer]) -> None:
        """What is remembered: the answer. A part of one that failed is not, for it may be of a
        version that was withdrawn.
        """
        if answer.error is None:
            id = None if answer.stopped else answer.id
            self._talk = talk.answered(question, answer.text, id)
        else:
            self._talk = self._talk.failed(question)
        self._desk.answered([one for one in shown if one.error is None], self._talk)
        failed = next((one.error for one in shown if one.error is not None), None)
        if failed is None:
            return
        if self._desk.typed and answer.error is not None and isinstance(failed, IpcError):
            self._desk.complain(f"{sentence(failed)} {AGAIN}")
        else:
            raise failed

    # ------------------------------------------------------------------- the other commands

    def _judge(self, act: Judge) -> None:
        kept = self._client.feedback(act.id, good=act.good)
        if not act.good:
            self._desk.say("It is left out.")
        elif kept:
            self._desk.say("It is kept as a good one.")
        else:
            self._desk.say("Noted; it is not kept to be learned.")

    def _forget(self, act: ForgetThis) -> None:
        with administration() as service:
            done = forget_this(act, self._desk, service=service, model=self._client)
        self._talk = self._talk.without(act.ids)
        self._desk.say(done)

    def _use_model(self, name: str | None) -> None:
        models = self._client.models()
        if name is None:
            self._desk.say(models_text(models, self._talk.model))
            return
        meant = named(models, name)
        if meant is None:
            raise UnknownModel(f"There is no model {name}; /model lists those that can be asked.")
        self._talk = replace(self._talk, model=meant)
        self._desk.say(f"From now on {meant} answers.")


def named(models: Sequence[ModelInfo], name: str) -> str | None:
    """The model of this name, or the only version that begins so."""
    ids = [model.id for model in models]
    if name in ids:
        return name
    digest = name.removeprefix("personal@")
    like = [id for id in ids if digest and id.startswith(f"personal@{digest}")]
    return like[0] if len(like) == 1 else None


def models_text(models: Sequence[ModelInfo], now: str) -> str:
    rows = [
        (
            "*" if model.id == now else "",
            text.printable(model.id),
            text.moment(model.trained_at),
            text.value(model.status),
        )
        for model in models
    ]
    return text.table(("", "MODEL", "TRAINED", "STATUS"), rows)


def help_text() -> str:
    commands = [(f"{one.name} {one.argument}".strip(), one.does) for one in COMMANDS]
    keys = [
        ("Alt-Enter, \\ Enter", "another line of the same question"),
        ("Ctrl-C", "stops the answer, not the conversation"),
        ("//...", "a question that begins with a slash"),
    ]
    return text.pairs([*commands, *keys])
