"""`nightloom chat`: ask the model, one question or a conversation.

Nothing of it is written to disk here; the conversation lives as long as the command.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.exits import sentence
from daemon.cli.output import say
from daemon.cli.reaching import inference
from ipc.errors import EngineUnavailable, PromptTooLong, QueueFull, RequestError

if TYPE_CHECKING:
    from ipc.client import InferenceClient

Message = dict[str, str]

ANSWER_TOKENS = 512  # a small base does not always find an end
WORDS = {"/good": True, "/bad": False}


@dataclass(slots=True)
class _Talk:
    """With whom, on which terms, and what was said."""

    client: "InferenceClient"
    model: str
    train: bool
    history: list[Message] = field(default_factory=list, repr=False)
    answer_id: str | None = None  # of the last answer

    def ask(self) -> Iterator[str]:
        """The answer to what was said last, in pieces."""
        self.answer_id = None
        return self.client.chat(
            self.history,
            self.model,
            train=self.train,
            begun=self._begun,
            max_tokens=ANSWER_TOKENS,
        )

    def _begun(self, answer_id: str) -> None:
        self.answer_id = answer_id


@click.command()
@click.option(
    "-m", "--message", metavar="TEXT", help="Ask this, print the answer and leave ('-': stdin)."
)
@click.option(
    "--model",
    default="personal",
    show_default=True,
    metavar="M",
    help="personal, base, or personal@ and the first 12 characters of an adapter.",
)
@click.option(
    "--no-train", is_flag=True, help="Keep this out, also where chats like this are collected."
)
def chat(message: str | None, model: str, no_train: bool) -> None:
    """Talk to the model; without -m, line by line until Ctrl-D.

    Ctrl-C stops the answer that is being given, not the conversation. A line /good or /bad says
    what the last answer was worth: where chats are collected (a source of kind conversations),
    a bad exchange is left out, a good one learned before others.
    """
    with inference() as client:
        talk = _Talk(client, model, train=not no_train)
        if message is None:
            _converse(talk)
        else:
            asked = sys.stdin.read() if message == "-" else message
            talk.history.append({"role": "user", "content": asked})
            _print_pieces(talk.ask())


def _converse(talk: _Talk) -> None:
    interactive = sys.stdin.isatty()
    if interactive:
        with suppress(ImportError):
            import readline  # noqa: F401  # line editing at the prompt, kept in memory only
        say(f"Talking to {text.printable(talk.model)}. Ctrl-C stops an answer, Ctrl-D leaves.")
    history = talk.history
    while (line := _next_line(interactive)) is not None:
        if not line.strip():
            continue
        if line.strip() in WORDS:
            _judge(talk, good=WORDS[line.strip()])
            continue
        history.append({"role": "user", "content": line})
        try:
            answer = _answer(talk)
        except (EngineUnavailable, QueueFull, PromptTooLong) as error:
            if not interactive:
                raise
            history.pop()  # it can be asked again
            click.echo(f"nightloom: {sentence(error)}", err=True)
        else:
            history.append({"role": "assistant", "content": answer})


def _next_line(interactive: bool) -> str | None:
    """What the user says next; None at the end."""
    while True:
        try:
            return input("you> " if interactive else "")
        except EOFError:
            if interactive:
                say("")
            return None
        except KeyboardInterrupt:
            if not interactive:
                raise
            say("\nCtrl-D leaves.")


def _answer(talk: _Talk) -> str:
    """Streams an answer to the last message; the oldest exchanges go when all is too long."""
    while True:
        try:
            return _print_pieces(talk.ask(), until_interrupted=True)
        except PromptTooLong:
            if len(talk.history) < 3:
                raise
            del talk.history[:2]


def _judge(talk: _Talk, *, good: bool) -> None:
    """A word about the last answer; that it was of no use is said and ends nothing."""
    if talk.answer_id is None:
        click.echo("nightloom: There is no answer yet to say that of.", err=True)
        return
    try:
        kept = talk.client.feedback(talk.answer_id, good=good)
    except RequestError as error:
        click.echo(f"nightloom: {sentence(error)}", err=True)
        return
    if good:
        say("It is kept as a good one." if kept else "Noted; it is not kept to be learned.")
    else:
        say("It is left out.")


def _print_pieces(pieces: Iterator[str], *, until_interrupted: bool = False) -> str:
    """Prints an answer as it comes and returns it; leaving early stops it in the service."""
    given: list[str] = []
    try:
        for piece in pieces:
            given.append(piece)
            say(text.printable(piece), end="")
    except KeyboardInterrupt:
        if not until_interrupted:
            raise
        say(" …", end="")
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
        if given:
            say("")
    return "".join(given)
