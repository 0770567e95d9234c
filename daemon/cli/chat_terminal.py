"""A conversation on a terminal: lines typed with prompt_toolkit, answers drawn.

What is typed stays in memory: a history file would hold private text in clear. Both libraries are
loaded when a conversation begins, not with the command.
"""

import sys
import termios
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.chat_answer import Answer, View
from daemon.cli.chat_commands import COMMANDS
from daemon.cli.chat_talk import Talk
from daemon.cli.output import say

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

LEAVING = "Ctrl-D leaves."


class TerminalDesk:
    """See `chat_desk.Desk`."""

    typed = True

    def __init__(self, models: Sequence[str]) -> None:
        """
        Args:
            models: names to complete after `/model`.
        """
        from daemon.cli.chat_markdown import Lines

        self._lines = Lines()
        self._session = _session(models)

    def next_line(self, talk: Talk) -> str | None:
        while True:
            try:
                return self._session.prompt("you> " if talk.train else "you (private)> ")
            except EOFError:
                return None
            except KeyboardInterrupt:
                if not self._session.default_buffer.text:
                    say(LEAVING)

    def view(self, titles: Sequence[str]) -> View:
        from daemon.cli.chat_view import TerminalView

        return TerminalView(titles, self._lines)

    @contextmanager
    def quiet(self) -> Generator[None, None, None]:
        """What is typed ahead comes up at the next prompt."""
        before = termios.tcgetattr(sys.stdin)
        quiet = termios.tcgetattr(sys.stdin)
        quiet[3] &= ~termios.ECHO
        try:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, before)

    def answered(self, answers: Sequence[Answer], talk: Talk) -> None:
        for answer in answers:
            say(self._lines.dim(footer(answer, talk)))

    def say(self, sentence: str) -> None:
        say(text.printable(sentence))

    def complain(self, sentence: str) -> None:
        click.echo(f"nightloom: {text.printable(sentence)}", err=True)

    def confirm(self, question: str) -> bool:
        try:
            return click.confirm(question, default=False)
        except click.Abort:
            return False


def footer(answer: Answer, talk: Talk) -> str:
    """The version that answered, how fast, and what else there is to know of it."""
    parts = [text.printable(answer.version or answer.asked)]
    if answer.completion_tokens is not None:
        parts.append(text.plural(answer.completion_tokens, "token"))
    if (rate := answer.tokens_per_second) is not None:
        parts.append(f"{rate:.1f} tokens/s")
    if answer.stopped:
        parts.append("stopped")
    elif answer.reason == "length":
        parts.append(f"cut off at the end of {talk.max_tokens} tokens or of the context")
    if not talk.train:
        parts.append("kept out")
    return " · ".join(parts)


def _session(models: Sequence[str]) -> "PromptSession[str]":
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.shortcuts import CompleteStyle

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        """At the end of a line a backslash begins another one."""
        buffer = event.current_buffer
        if buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def another_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    class Commands(Completer):
        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> "Generator[Completion, None, None]":
            for word, start in completions(document.text_before_cursor, models):
                yield Completion(word, start_position=start)

    return PromptSession(
        history=InMemoryHistory(),
        completer=Commands(),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        multiline=True,
        prompt_continuation="...> ",
        key_bindings=keys,
        enable_suspend=True,
    )


def completions(typed: str, models: Sequence[str]) -> list[tuple[str, int]]:
    """Words that may stand there, and where they begin, counted from the cursor."""
    if not typed.startswith("/") or "\n" in typed:
        return []
    name, blank, begun = typed.partition(" ")
    if not blank:
        return [
            (f"{one.name} " if one.argument else one.name, -len(name))
            for one in COMMANDS
            if one.name.startswith(name)
        ]
    known = models if name == "/model" else ("all",) if name == "/forget-this" else ()
    return [(one, -len(begun)) for one in known if one.startswith(begun)]
