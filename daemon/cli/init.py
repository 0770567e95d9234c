"""`nightloom init`: the vault and its key slots, and the recovery key, shown once."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli.errors import NothingKeepsKeys
from daemon.cli.output import say
from daemon.cli.passphrase import new_passphrase, passphrase_file_option, wished_passphrase
from daemon.cli.reaching import home
from storage.errors import VaultExists

if TYPE_CHECKING:
    from storage.unattended import Keeper

KEEPERS = {
    "keyring": "your keyring, whenever that is unlocked",
    "systemd-creds": "systemd-creds, on this machine and for you alone",
}
NEXT = (
    "Next: start the service with `nightloom run`, then allow a first folder with\n"
    "`nightloom privacy sources add PATH`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is to open a new vault besides its recovery key; at least one of them."""

    keeper: "Keeper | None"
    passphrase: str | None = field(repr=False)


@click.command()
@passphrase_file_option
@click.option(
    "--keyring/--no-keyring",
    default=None,
    help="Whether the vault opens by itself, by a key in the keyring or with systemd-creds. "
    "It does where it can, unless a passphrase file is given.",
)
def init(passphrase_file: Path | None, keyring: bool | None) -> None:
    """Create the vault, and print its recovery key once.

    It opens by itself at night where this machine can keep a key for that, and else by a
    passphrase.
    """
    opening = chosen_opening(passphrase_file, keyring)
    recovery_key = create_vault(opening)
    say(f"{vault_ready(opening, recovery_key)}\n\n{NEXT}")


def chosen_opening(passphrase_file: Path | None, keyring: bool | None) -> Opening:
    """What is to open a new vault; a person is asked where the options leave it open.

    Raises `VaultExists`, `NothingKeepsKeys`, and what `new_passphrase` raises.
    """
    if home().vault_exists():
        raise VaultExists  # before anybody types a passphrase
    wanted = passphrase_file is None if keyring is None else keyring
    keeper, problems = usable_keeper() if wanted else (None, [])
    if keeper is None and keyring:
        raise NothingKeepsKeys(tuple(problems))
    if problems and keeper is None:
        click.echo(f"The vault will not open by itself: {'; '.join(problems)}.", err=True)
    if passphrase_file is None and keeper is not None:
        return Opening(keeper=keeper, passphrase=wished_passphrase())
    return Opening(keeper=keeper, passphrase=new_passphrase(passphrase_file))


def create_vault(opening: Opening) -> str:
    """Makes it in the home; the recovery key as it is to be printed."""
    from daemon.confinement import protect_memory
    from storage.vault import Vault

    protect_memory()  # the keys are made in here
    at = home()
    at.create_folders()
    vault, recovery_key = Vault.create(
        at.vault, passphrase=opening.passphrase, keeper=opening.keeper
    )
    vault.close()
    return str(recovery_key)


def usable_keeper() -> "tuple[Keeper | None, list[str]]":
    """The first that can be used here, or why none can."""
    from daemon.session_bus import name_session_bus
    from storage.unattended import keepers

    name_session_bus(os.environ)
    problems = []
    for keeper in keepers():
        problem = keeper.problem()
        if problem is None:
            return keeper, []
        problems.append(f"{keeper.kind}: {problem}")
    return None, problems


def vault_ready(opening: Opening, recovery_key: str) -> str:
    """What opens the vault, and its recovery key."""
    keeper = opening.keeper.kind if opening.keeper else None
    others = [
        *(["its passphrase"] if opening.passphrase is not None else []),
        *([KEEPERS.get(keeper, keeper)] if keeper else []),
    ]
    night = (
        "It opens by itself when the service starts, so nights need nobody."
        if keeper
        else "After each start of the service it waits for its passphrase (`nightloom unlock`)."
    )
    return (
        f"Your vault is ready. It is opened by {' or by '.join(others)}.\n{night}\n\n"
        "This is its recovery key. It opens the vault when all else is lost, and it is shown only\n"
        "now: write it down and keep it away from this machine.\n\n"
        f"    {recovery_key}"
    )
