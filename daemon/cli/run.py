"""`nightloom run`: the service in the foreground."""

from pathlib import Path

import click

from daemon.cli.passphrase import known_passphrase, passphrase_file_option
from daemon.cli.reaching import home
from storage.errors import VaultMissing


@click.command()
@passphrase_file_option
@click.option("--die-with", type=int, hidden=True, help="End when this parent process ends.")
@click.pass_context
def run(context: click.Context, passphrase_file: Path | None, die_with: int | None) -> None:
    """Run the service in the foreground until Ctrl-C; prints 'ready' when it can be asked."""
    if die_with is not None:
        from daemon.cli.kinship import end_with_parent

        end_with_parent(die_with)
    at = home()
    if not at.vault_exists():
        raise VaultMissing
    passphrase = known_passphrase(passphrase_file)
    from daemon.config import load_config
    from daemon.service import run_service
    from storage.keys import Passphrase

    config = load_config(at.config_file)
    context.exit(run_service(at, config, Passphrase(text=passphrase)))
