"""The root of the command line: the list of verbs, the version, and the way errors go out.

Every error leaves as one sentence on stderr and one exit code of `exits.py`. Knows nothing of
what the verbs do.
"""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daemon.cli import (  # noqa: F401 - each adds its verb to a group
    adapter_delete,
    adapter_export,
    adapter_show,
)
from daemon.cli.adapters import adapters
from daemon.cli.audit import audit
from daemon.cli.backup import backup, restore
from daemon.cli.base import base
from daemon.cli.bench import bench
from daemon.cli.bridge import bridge
from daemon.cli.chat import chat
from daemon.cli.demo import demo
from daemon.cli.doctor import doctor
from daemon.cli.exits import ExitCode, exit_code, sentence
from daemon.cli.export import export
from daemon.cli.init import init
from daemon.cli.key import key
from daemon.cli.limits import exclude, retention
from daemon.cli.night import night
from daemon.cli.pause import pause, resume
from daemon.cli.preview import preview
from daemon.cli.privacy import privacy
from daemon.cli.run import run
from daemon.cli.service import service
from daemon.cli.setup import setup
from daemon.cli.status import status, why
from daemon.cli.trial import test
from daemon.cli.unlock import lock, unlock

TOO_MANY_WORDS = "Got unexpected extra argument"  # click's sentence goes on with the user's words


class NightloomCommand(click.Group):
    """A group that turns whatever goes wrong below it into a sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """As click's, but errors go out as the module says; only `standalone_mode` is known."""
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except (Exception, KeyboardInterrupt) as error:
            code = _report(error)
        sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _report(error: BaseException) -> int:
    """Says what went wrong and returns the exit code."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        asked = error.__cause__ if isinstance(error, click.Abort) else error
        return 128 + getattr(asked, "number", signal.SIGINT)  # as shells do
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    if isinstance(error, click.UsageError):
        _complain(_usage_sentence(error))
        return ExitCode.USAGE
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _leave_stdout()
        return ExitCode.FAILED
    _complain(sentence(error))
    return exit_code(error)


def _complain(line: str) -> None:
    click.echo(f"nightloom: {line}", err=True)


def _usage_sentence(error: click.UsageError) -> str:
    said = error.format_message().strip()
    if said.startswith(TOO_MANY_WORDS):
        said = "That is one word too many; text with blanks in it needs quotes."
    command = error.ctx.command_path if error.ctx is not None else "nightloom"
    return f"{said.rstrip('.')}. See `{command} --help`."


def _say_version(context: click.Context, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f"nightloom {version()}")
        context.exit()


def version() -> str:
    """The version of the installed distribution, or of the source tree this runs from."""
    import tomllib
    from importlib import metadata

    try:
        return metadata.version("nightloom")
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[2] / "pyproject.toml"
        found: str = tomllib.loads(project.read_text("utf-8"))["project"]["version"]
        return found


def _leave_stdout() -> None:
    """Whoever read our output has left; nothing more is written there, not even at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


@click.group(cls=NightloomCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _option, asked: _say_version(context, asked),
    help="Show the version and leave.",
)
def nightloom() -> None:
    """Learns from what you write, on your own machine, while you sleep.

    Try it with `nightloom demo`. To begin: `nightloom setup`. NIGHTLOOM_HOME puts everything under
    one folder.
    """


for verb in (init, run, status, why, doctor, privacy, night, adapters, base, chat, bench, demo):
    nightloom.add_command(verb)
for verb in (preview, test, audit, export):
    privacy.add_command(verb)
for verb in (setup, unlock, lock, key):
    nightloom.add_command(verb)
for verb in (backup, restore, service):
    nightloom.add_command(verb)
for verb in (exclude, retention):
    privacy.add_command(verb)
for verb in (pause, resume, bridge):
    nightloom.add_command(verb)
