"""Who of those who speak in an export of chats is the user: asked on a terminal, told elsewhere."""

import sys
from collections.abc import Callable, Sequence

import click

from daemon.cli.output import Json
from daemon.cli.preview import line
from ipc.errors import OperationError

WHICH = "Which of them are you? Numbers, apart by commas; nothing adds nothing"
NONE_IS_YOU = "None of those who speak in these chats is you, as far as nightloom was told:"
Me = tuple[str, ...]


def add_naming_me(
    add: Callable[[Me], Json], speakers: Callable[[Me], list[str]], me: Me, *, quiet: bool
) -> Json:
    """What `add` answers, asked again with the names that the user chose.

    Args:
        speakers: names in the export, none where one of them is the user.
        quiet: nobody is asked or told, for a program reads.

    Raises:
        OperationError: what `add` said, when nobody chose.
    """
    try:
        return add(me)
    except OperationError as error:
        names = [] if quiet or error.code != "usage" else speakers(me)
        if not names:
            raise
        asked = sys.stdin.isatty() and sys.stdout.isatty()
        chosen = _asked(names) if asked else _told(names)
        if not chosen:
            raise
    return add((*me, *chosen))


def _told(names: Sequence[str]) -> Me:
    click.echo(f"{NONE_IS_YOU} {', '.join(line(name) for name in names)}.", err=True)
    return ()


def _asked(names: Sequence[str]) -> Me:
    rows = (f"  {number}  {line(name)}" for number, name in enumerate(names, start=1))
    click.echo("\n".join((NONE_IS_YOU, *rows)), err=True)
    while True:
        typed = click.prompt(WHICH, default="", show_default=False, err=True)
        numbers = [one.strip() for one in typed.split(",") if one.strip()]
        if all(one.isdecimal() and 0 < int(one) <= len(names) for one in numbers):
            return tuple(names[int(one) - 1] for one in numbers)
