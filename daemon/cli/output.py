"""How an answer reaches the terminal: as JSON with stable keys, or as text for a person.

Knows nothing of what the answer means. Everything read goes to stdout; errors go to stderr.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

Json = dict[str, Any]
Answer = TypeVar("Answer")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--json`, which arrives as the argument `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the answer as JSON, for programs."
    )(command)


def show(answer: Answer, as_json: bool, as_text: Callable[[Answer], str]) -> None:
    """Prints an answer whole."""
    say(json.dumps(answer, ensure_ascii=False, indent=2) if as_json else as_text(answer))


def show_line(answer: Json) -> None:
    """Prints one of several JSON answers on a line of its own, at once."""
    say(json.dumps(answer, ensure_ascii=False))


def say(line: str, *, end: str = "\n") -> None:
    """Prints to stdout at once; what the terminal's encoding lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write((line + end).encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
