"""Asking for a secret that opens the vault, to be sent to the service in the body of a request.

Which one is asked for depends on the slots there are. It never appears in arguments, in the
environment, in a message or in a `repr`.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from daemon.cli.passphrase import known_passphrase, passphrase_file_option
from daemon.cli.recovery_key import known_recovery_key, recovery_key_file_option

Json = dict[str, Any]


def secret_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--passphrase-file`, `--recovery-key` and `--recovery-key-file`."""
    asked = click.option(
        "--recovery-key", is_flag=True, help="Ask for the recovery key, not for the passphrase."
    )
    return passphrase_file_option(asked(recovery_key_file_option(command)))


def given_secret(
    passphrase_file: Path | None, recovery_key: bool, recovery_key_file: Path | None
) -> Json | None:
    """The secret that the options name; None if they name none.

    An option wins over NIGHTLOOM_PASSPHRASE_FILE, which may be set for other commands.
    """
    if recovery_key or recovery_key_file is not None:
        return _recovery_key(recovery_key_file)
    if passphrase_file is not None:
        return {"passphrase": known_passphrase(passphrase_file)}
    return None


def asked_secret(slots: Collection[str]) -> Json:
    """Asked on the terminal: the passphrase where the vault has one, else the recovery key.

    Raises `PassphraseNotGiven` or `RecoveryKeyNotGiven` without a terminal.
    """
    if "passphrase" in slots or "recovery" not in slots:
        return {"passphrase": known_passphrase(None)}
    return _recovery_key(None)


def _recovery_key(file: Path | None) -> Json:
    return {"recovery_key": known_recovery_key(file).printed()}
