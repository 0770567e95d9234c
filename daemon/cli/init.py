"""`nightloom init`: the vault and its key slots, and the recovery key, shown once."""

from pathlib import Path

import click

from daemon.cli.output import say
from daemon.cli.passphrase import new_passphrase, passphrase_file_option
from daemon.cli.reaching import home
from storage.errors import VaultExists


@click.command()
@passphrase_file_option
def init(passphrase_file: Path | None) -> None:
    """Create the vault, sealed with a passphrase, and print its recovery key once."""
    at = home()
    if at.vault_exists():
        raise VaultExists  # before anybody types a passphrase
    passphrase = new_passphrase(passphrase_file)
    from storage.vault import Vault

    at.create_folders()
    vault, recovery_key = Vault.create(at.vault, passphrase=passphrase)
    vault.close()
    say(_welcome(str(recovery_key)))


def _welcome(recovery_key: str) -> str:
    return (
        "Your vault is ready.\n\n"
        "This is its recovery key. It opens the vault when the passphrase is lost, and it is\n"
        "shown only now: write it down and keep it away from this machine.\n\n"
        f"    {recovery_key}\n\n"
        "Next: start the service with `nightloom run`, then allow a first folder with\n"
        "`nightloom privacy sources add PATH`."
    )
