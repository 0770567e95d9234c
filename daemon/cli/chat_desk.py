"""Where a conversation takes place: what gives its lines and shows its answers.

`PlainDesk` is for pipes and files: text as it is, without colours, or JSON, an object a line.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import click

from daemon.cli import text
from daemon.cli.chat_answer import Answer, View
from daemon.cli.chat_talk import Talk
from daemon.cli.errors import AskedInAPipe
from daemon.cli.output import say, show_line


class Desk(Protocol):
    typed: bool  # by a person, whom an error does not throw out

    def next_line(self, talk: Talk) -> str | None:
        """What is said next; None at the end."""
        ...

    def view(self, titles: Sequence[str]) -> View: ...

    def quiet(self) -> AbstractContextManager[None]:
        """While answers come; nothing that is typed meanwhile is shown."""
        ...

    def answered(self, answers: Sequence[Answer], talk: Talk) -> None:
        """All that was shown in a view has ended well, or was stopped."""
        ...

    def say(self, sentence: str) -> None:
        """What a command answers."""
        ...

    def complain(self, sentence: str) -> None: ...

    def confirm(self, question: str) -> bool:
        """Raises AskedInAPipe."""
        ...


class PlainDesk:
    """Lines from stdin, answers to stdout, complaints to stderr."""

    typed = False

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._asks = sys.stdin.isatty()  # where stdout alone is no terminal

    def next_line(self, talk: Talk) -> str | None:
        if self._asks:
            click.echo("you> ", nl=False, err=True)
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None

    def view(self, titles: Sequence[str]) -> View:
        return Collecting() if self._as_json or len(titles) > 1 else Printing()

    def quiet(self) -> AbstractContextManager[None]:
        return nullcontext()

    def answered(self, answers: Sequence[Answer], talk: Talk) -> None:
        if self._as_json:
            for answer in answers:
                show_line(as_json(answer))
        elif len(answers) > 1:
            for answer in answers:
                named = f"{answer.version or answer.asked}:\n{answer.text.strip()}\n"
                say(text.printable(named))

    def say(self, sentence: str) -> None:
        if self._as_json:
            click.echo(text.printable(sentence), err=True)
        else:
            say(text.printable(sentence))

    def complain(self, sentence: str) -> None:
        click.echo(f"nightloom: {text.printable(sentence)}", err=True)

    def confirm(self, question: str) -> bool:
        raise AskedInAPipe


def as_json(answer: Answer) -> dict[str, object]:
    """Keys that stay."""
    return {
        "id": answer.id,
        "model": answer.version or answer.asked,
        "answer": answer.text,
        "finish_reason": "stopped" if answer.stopped else answer.reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "seconds": round(answer.seconds, 3),
    }


class Collecting:
    """Shows nothing while it comes."""

    pulse_seconds: float | None = None

    def loading(self, place: int, share: float) -> None: ...

    def piece(self, place: int, text: str) -> None: ...

    def pulse(self) -> None: ...

    def ended(self, place: int, *, stopped: bool) -> None: ...

    def close(self) -> None: ...


class Printing(Collecting):
    """Each piece of the one answer at once."""

    def __init__(self) -> None:
        self._given = False

    def piece(self, place: int, text_: str) -> None:
        say(text.printable(text_), end="")
        self._given = True

    def ended(self, place: int, *, stopped: bool) -> None:
        if stopped:
            say(" …")
        elif self._given:
            say("")
