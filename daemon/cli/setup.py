"""`nightloom setup`: the guide, step by step, from nothing to a machine that learns at night.

Each step is a file of its own and says by itself what is done already. This one takes them in
order, and sees to it that one can leave at any point and come back.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli.errors import SetupNeedsTerminal
from daemon.cli.output import say
from daemon.cli.passphrase import passphrase_file_option

if TYPE_CHECKING:
    from daemon.cli.setup_guide import Guide

INTRODUCTION = """\
This guide goes through five steps. Each can be left out and taken later; what is done stays done,
and Ctrl-C leaves at any point."""
EVERY_DAY = """\
For every day:
  nightloom status           what it does, and what the last night brought
  nightloom chat             talk to it
  nightloom pause            stand still for a while
  nightloom privacy forget   take text back, also from what was learned
  nightloom why              why it works now, or why not"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`take` gives whether it is done now; what it raises can be tried again."""

    title: str
    take: "Callable[[Guide], bool]"


def _steps() -> dict[str, Step]:
    from daemon.cli import setup_base, setup_night, setup_service, setup_source, setup_vault

    return {
        "vault": Step(title="The vault and its keys", take=setup_vault.take),
        "base": Step(title="The base model", take=setup_base.take),
        "source": Step(title="What may be read", take=setup_source.take),
        "service": Step(title="The service", take=setup_service.take),
        "night": Step(title="What a night here will do", take=setup_night.take),
    }


NAMES = ("vault", "base", "source", "service", "night")


@click.command()
@click.argument("steps", nargs=-1, type=click.Choice(NAMES), metavar="[STEP]...")
@click.option("--yes", is_flag=True, help="Ask nothing and do what the guide would propose.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Allow this folder to be read. With --yes there is no other way to name one.",
)
@passphrase_file_option
def setup(
    steps: tuple[str, ...], yes: bool, source: Path | None, passphrase_file: Path | None
) -> None:
    """Go through everything once, from the vault to the first night, step by step.

    A STEP (vault, base, source, service, night) takes up that one alone, also if it is done. With
    --yes the vault is made as `nightloom init` makes it, an existing one keeps its keys, and
    nothing is downloaded.
    """
    from daemon.cli.demo_interrupts import Interrupts
    from daemon.cli.setup_guide import Guide

    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SetupNeedsTerminal
    with Interrupts() as interrupts, ExitStack() as cleanup:
        guide = Guide(
            yes=yes,
            again=bool(steps),
            passphrase_file=passphrase_file,
            folder=source,
            interrupts=interrupts,
            cleanup=cleanup,
        )
        try:
            _walk(guide, steps or NAMES)
        finally:
            interrupts.ignore_more()


def _walk(guide: "Guide", names: Sequence[str]) -> None:
    """Every step, and what is left of them."""
    known = _steps()
    left: list[str] = []
    if len(names) > 1 and not guide.yes:
        say(INTRODUCTION)
    for number, name in enumerate(names, 1):
        say(f"\n{_heading(number, len(names), known[name].title)}")
        try:
            done = _taken(guide, known[name])
        except (KeyboardInterrupt, click.Abort):
            guide.interrupts.ignore_more()
            with suppress(OSError):  # the terminal may be gone
                say(_stopped_text([*left, *names[number - 1 :]], named=guide.again))
            raise
        if not done:
            left.append(name)
    say("")
    if left:
        say(f"Left out: {', '.join(left)}. `nightloom setup {' '.join(left)}` takes that up.")
    if guide.has_own_service:
        say(
            "The service ran for this guide and ends with it; `nightloom run` starts it for as "
            "long as that terminal is open."
        )
    say(f"\n{EVERY_DAY}")


def _taken(guide: "Guide", step: Step) -> bool:
    """Until it is done, or left out."""
    while True:
        try:
            if step.take(guide):
                return True
        except Exception as error:
            if not guide.survives(error):
                raise
            if guide.confirm("Try this step again?", default=True):
                continue
        say("· Left out.")
        return False


def _heading(number: int, of: int, title: str) -> str:
    words = f"{number} of {of}  {title}" if of > 1 else title
    return f"{words}\n{'─' * len(words)}"


def _stopped_text(left: Sequence[str], *, named: bool) -> str:
    """How to go on; who named steps names them again."""
    steps = " ".join(left)
    command = f"nightloom setup {steps}" if named else "nightloom setup"
    return f"\nStopped. What is done stays; `{command}` goes on (left: {steps})."
