"""`nightloom chat`: ask the model, one question or a conversation.

Nothing of it is written to disk here; the conversation lives as long as the command.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.exits import sentence
from daemon.cli.output import say
from daemon.cli.reaching import inference
from ipc.errors import EngineUnavailable, PromptTooLong, QueueFull

if TYPE_CHECKING:
    from ipc.client import InferenceClient

Message = dict[str, str]

ANSWER_TOKENS = 512  # a small base does not always find an end


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
def chat(message: str | None, model: str) -> None:
    """Talk to the model; without -m, line by line until Ctrl-D.

    Ctrl-C stops the answer that is being given, not the conversation.
    """
    with inference() as client:
        if message is None:
            _converse(client, model)
        else:
            asked = sys.stdin.read() if message == "-" else message
            _print_pieces(
                client.chat([{"role": "user", "content": asked}], model, max_tokens=ANSWER_TOKENS)
            )


def _converse(client: "InferenceClient", model: str) -> None:
    interactive = sys.stdin.isatty()
    if interactive:
        with suppress(ImportError):
            import readline  # noqa: F401  # line editing at the prompt, kept in memory only
        say(f"Talking to {text.printable(model)}. Ctrl-C stops an answer, Ctrl-D leaves.")
    history: list[Message] = []
    while (line := _next_line(interactive)) is not None:
        if not line.strip():
            continue
        history.append({"role": "user", "content": line})
        try:
            answer = _answer(client, model, history)
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


def _answer(client: "InferenceClient", model: str, history: list[Message]) -> str:
    """Streams an answer to the last message; the oldest exchanges go when all is too long."""
    while True:
        try:
            return _print_pieces(
                client.chat(history, model, max_tokens=ANSWER_TOKENS), until_interrupted=True
            )
        except PromptTooLong:
            if len(history) < 3:
                raise
            del history[:2]


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
