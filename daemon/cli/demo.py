"""`nightloom demo`: the whole story once, in a home of its own that is gone afterwards.

This file only sets the stage and clears it; the story is in `demo_story.py`.
"""

from pathlib import Path

import click


@click.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Use this new or empty folder as the demo's home, and keep it.",
)
def demo(keep: Path | None) -> None:
    """Show the whole story in a few minutes: invented notes, one night, two answers side by side.

    Your own files and settings are not touched. Ctrl-C ends it at any point and leaves nothing.
    """
    from contextlib import ExitStack

    from rich.console import Console

    from daemon.cli.demo_home import open_home, passphrase_for
    from daemon.cli.demo_interrupts import Interrupts
    from daemon.cli.demo_story import tell

    console = Console()
    with Interrupts() as interrupts, ExitStack() as cleanup:
        try:
            home = open_home(keep, cleanup, interrupts)
            passphrase = passphrase_for(home, kept=keep is not None)
            tell(console, home, passphrase, cleanup, interrupts)
        finally:
            interrupts.ignore_more()
    if keep is not None:
        console.print(
            f"The demo's home is kept. To open it:\n  NIGHTLOOM_HOME={home} nightloom run "
            f"--passphrase-file {home / 'passphrase'}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
