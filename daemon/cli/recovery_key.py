"""Where a recovery key comes from: a private file, a pipe, or the terminal.

It never appears in arguments, in the environment, in a message or in a `repr`.
"""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.errors import (
    RecoveryKeyFileTooOpen,
    RecoveryKeyFileUnreadable,
    RecoveryKeyNotGiven,
)

if TYPE_CHECKING:
    from storage.keys import RecoveryKey

LONGEST_BYTES = 4096
TRIALS = 3  # of typing 40 letters and digits from a sheet of paper


def recovery_key_file_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--recovery-key-file`."""
    return click.option(
        "--recovery-key-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Read the recovery key from this file instead of asking; the file must be private "
        "(chmod 600). A pipe, as /dev/fd/3, will do.",
    )(command)


def known_recovery_key(file: Path | None) -> "RecoveryKey":
    """The key in the file, or as typed; who mistypes it is told where, and asked again.

    Raises `RecoveryKeyFileUnreadable`, `RecoveryKeyFileTooOpen`, `RecoveryKeyNotGiven` and the
    vault's `RecoveryKeyMistyped`.
    """
    from storage.errors import RecoveryKeyMistyped
    from storage.keys import RecoveryKey

    if file is not None:
        return RecoveryKey.parse(_read(file))
    if not sys.stdin.isatty():
        raise RecoveryKeyNotGiven
    for trial in range(1, TRIALS + 1):
        typed = click.prompt(
            "Recovery key", hide_input=True, default="", show_default=False, err=True
        )
        try:
            return RecoveryKey.parse(typed)
        except RecoveryKeyMistyped as error:
            if trial == TRIALS:
                raise
            click.echo(str(error), err=True)
    raise AssertionError


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            about = os.fstat(opened.fileno())
            if stat.S_ISREG(about.st_mode) and about.st_mode & 0o077:
                raise RecoveryKeyFileTooOpen
            content = opened.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise RecoveryKeyFileUnreadable
        return content.decode("utf-8")
    except OSError as error:
        raise RecoveryKeyFileUnreadable from error
    except UnicodeDecodeError:
        raise RecoveryKeyFileUnreadable from None  # the error would carry the key
