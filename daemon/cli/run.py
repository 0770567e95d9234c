"""`nightloom run`: the service in the foreground."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli.passphrase import known_passphrase, passphrase_file_option, read_passphrase_file
from daemon.cli.reaching import home
from storage.errors import VaultMissing

if TYPE_CHECKING:
    from storage.keys import Secret


@click.command()
@passphrase_file_option
@click.option("--die-with", type=int, hidden=True, help="End when this parent process ends.")
@click.pass_context
def run(context: click.Context, passphrase_file: Path | None, die_with: int | None) -> None:
    """Run the service in the foreground until Ctrl-C; prints 'ready' when it can be asked.

    The vault is opened by the passphrase file if there is one, else by a slot that opens by itself,
    else by the passphrase that is typed. Without a terminal the service runs locked until
    `nightloom unlock`.
    """
    if die_with is not None:
        from daemon.cli.kinship import end_with_parent

        end_with_parent(die_with)
    at = home()
    if not at.vault_exists():
        raise VaultMissing
    given = None if passphrase_file is None else read_passphrase_file(passphrase_file)
    from daemon.config import load_config
    from daemon.service import run_service
    from storage.keys import Passphrase

    config = load_config(at.config_file)
    secret = None if given is None else Passphrase(text=given)
    ask = _ask if sys.stdin.isatty() else None
    context.exit(run_service(at, config, secret=secret, ask=ask))


def _ask() -> "Secret":
    """The passphrase, from the terminal."""
    from storage.keys import Passphrase

    return Passphrase(text=known_passphrase(None))
