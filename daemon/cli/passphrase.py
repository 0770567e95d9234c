"""Where the passphrase comes from: a private file, a pipe, or the terminal.

Knows nothing of the vault that it opens. The passphrase never appears in arguments, in the
environment, in a message or in a `repr`.
"""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import (
    PassphraseEmpty,
    PassphraseFileMissing,
    PassphraseFileTooOpen,
    PassphraseFileUnreadable,
    PassphraseNotGiven,
    PassphrasesDiffer,
)

VARIABLE = "NIGHTLOOM_PASSPHRASE_FILE"
LONGEST_BYTES = 4096  # more is a file of another kind, named by mistake


def passphrase_file_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--passphrase-file`."""
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path),
        envvar=VARIABLE,
        show_envvar=True,
        metavar="FILE",
        help="Read the passphrase from this file instead of asking; the file must be private "
        "(chmod 600). A pipe, as /dev/fd/3, will do.",
    )(command)


def read_passphrase_file(path: Path) -> str:
    """The passphrase in a file or pipe, without the line end after it.

    Raises `PassphraseFileMissing`, `PassphraseFileUnreadable`, `PassphraseFileTooOpen` and
    `PassphraseEmpty`.
    """
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if stat.S_ISREG(about.st_mode) and about.st_mode & 0o077:
                raise PassphraseFileTooOpen
            content = file.read(LONGEST_BYTES + 1)
        text = content.decode("utf-8")
    except FileNotFoundError as error:
        raise PassphraseFileMissing from error
    except OSError as error:
        raise PassphraseFileUnreadable from error
    except UnicodeDecodeError:
        raise PassphraseFileUnreadable from None  # the error would carry the passphrase
    if len(content) > LONGEST_BYTES:
        raise PassphraseFileUnreadable
    return _not_empty(text.removesuffix("\n").removesuffix("\r"))


def new_passphrase(file: Path | None) -> str:
    """A passphrase for a new vault: from the file, or typed twice."""
    if file is not None:
        return read_passphrase_file(file)
    first = _ask("New passphrase")
    if _ask("The same again") != first:
        raise PassphrasesDiffer
    return first


def wished_passphrase() -> str | None:
    """A passphrase besides another way to open the vault: typed twice, or none.

    Without a terminal there is none.
    """
    if not sys.stdin.isatty():
        return None
    first = _typed("A passphrase as well (leave it empty for none)")
    if not first.strip():
        return None
    if _ask("The same again") != first:
        raise PassphrasesDiffer
    return first


def known_passphrase(file: Path | None) -> str:
    """The passphrase of a vault that exists: from the file, or typed once."""
    return read_passphrase_file(file) if file is not None else _ask("Passphrase")


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise PassphraseNotGiven
    return _not_empty(_typed(question))


def _typed(question: str) -> str:
    typed: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    return typed


def _not_empty(passphrase: str) -> str:
    if not passphrase.strip():
        raise PassphraseEmpty
    return passphrase
