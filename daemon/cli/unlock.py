"""`nightloom unlock` and `nightloom lock`: the vault of the service that runs."""

import sys
from pathlib import Path

import click

from daemon.cli.asking_secret import asked_secret, given_secret, secret_options
from daemon.cli.output import say
from daemon.cli.reaching import administration
from ipc.errors import OperationError


@click.command()
@secret_options
def unlock(
    passphrase_file: Path | None, recovery_key: bool, recovery_key_file: Path | None
) -> None:
    """Open the vault of the service that runs.

    Tries the slots that open by themselves, then asks for the passphrase, or for the recovery key
    where there is no passphrase.
    """
    secret = given_secret(passphrase_file, recovery_key, recovery_key_file)
    with administration() as service:
        if secret is not None:
            answer = service.unlock(secret)
        else:
            try:
                answer = service.unlock()
            except OperationError as error:
                if error.code != "locked" or not sys.stdin.isatty():
                    raise
                locked = service.status().get("locked") or {}
                slots = [slot["kind"] for slot in locked.get("slots", ())]
                answer = service.unlock(asked_secret(slots))
    say("The vault is open." if answer["was_locked"] else "The vault was open already.")


@click.command()
def lock() -> None:
    """Close the vault; the service goes on and does nothing until `nightloom unlock`.

    A night that runs saves its checkpoint and ends, answers under way end with an error, and the
    engine is stopped.
    """
    with administration() as service:
        answer = service.lock()
    say(
        "The vault is locked. It stays so until `nightloom unlock`."
        if answer["was_open"]
        else "The vault was locked already. It stays so until `nightloom unlock`."
    )
