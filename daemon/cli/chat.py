"""`nightloom chat`: ask the model, one question or a conversation.

Nothing of it is written to disk here; the conversation lives as long as the command.
"""

import os
import sys
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.chat_talk import ANSWER_TOKENS, Talk
from daemon.cli.output import say
from daemon.cli.reaching import inference

if TYPE_CHECKING:
    from daemon.cli.chat_desk import Desk
    from ipc.client import InferenceClient

WITHOUT_A_CURSOR = ("", "dumb", "unknown")  # what TERM says of terminals that cannot redraw


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
@click.option("--system", metavar="TEXT", help="What the model is told before all else.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0.0, max=2.0),
    metavar="X",
    help="0 is always the likeliest; the service's is 0.7.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=ANSWER_TOKENS,
    show_default=True,
    metavar="N",
    help="How long an answer may be.",
)
@click.option(
    "--no-train", is_flag=True, help="Keep this out, also where chats like this are collected."
)
@click.option("--json", "as_json", is_flag=True, help="Print each answer as JSON, one on a line.")
def chat(
    message: str | None,
    model: str,
    system: str | None,
    temperature: float | None,
    max_tokens: int,
    no_train: bool,
    as_json: bool,
) -> None:
    """Talk to the model; without -m until Ctrl-D, a line of a pipe after the other.

    On a terminal, Alt-Enter begins another line of the same question, Ctrl-C stops the answer that
    is being given and not the conversation, and /help lists what else can be said: /model and
    /compare, /good and /bad, /forget-this, /private, /retry, /new.
    """
    talk = Talk(
        model=model,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        train=not no_train,
    )
    from daemon.cli.chat_conversation import Conversation

    with inference() as client:
        if message is None:
            Conversation(client, _desk(client, talk, as_json=as_json), talk).hold()
        else:
            asked = sys.stdin.read() if message == "-" else message
            desk = _desk_for_one(as_json=as_json)
            if Conversation(client, desk, talk).ask(asked).stopped:
                raise KeyboardInterrupt


def _desk(client: "InferenceClient", talk: Talk, *, as_json: bool) -> "Desk":
    """The service is asked first: that it does not run is said before anything is typed."""
    if as_json or not (sys.stdin.isatty() and _draws()):
        from daemon.cli.chat_desk import PlainDesk

        return PlainDesk(as_json=as_json)
    from daemon.cli.chat_terminal import TerminalDesk

    known = [model.id for model in client.models()]
    say(
        f"Talking to {text.printable(talk.model)}. Ctrl-C stops an answer, /help lists commands, "
        "Ctrl-D leaves."
    )
    return TerminalDesk(known)


def _desk_for_one(*, as_json: bool) -> "Desk":
    if as_json or not _draws():
        from daemon.cli.chat_desk import PlainDesk

        return PlainDesk(as_json=as_json)
    from daemon.cli.chat_drawing import DrawingDesk

    return DrawingDesk()


def _draws() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in WITHOUT_A_CURSOR
