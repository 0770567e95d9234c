"""The guide's fourth step: the service, so that nights need no open terminal."""

import os

import click

from daemon.cli.output import say
from daemon.cli.reaching import home
from daemon.cli.setup_guide import Guide, serves

NO_VAULT = "· This needs the vault: `nightloom setup vault`."
FOREGROUND = (
    "`nightloom run` serves in the foreground: nights work as long as its terminal is open "
    "(`tmux` or `screen` keep one open)."
)
WHAT = "It starts with your session, waits in some 70 MB of memory, and works only at night."


def take(guide: Guide) -> bool:
    from daemon.installing.installation import installation

    if not home().vault_exists():
        say(NO_VAULT)
        return False
    found = installation(home(), os.environ)
    problem = found.problem()
    if problem is not None:
        say(f"· There can be no installed service here: {problem}.\n  {FOREGROUND}")
        return True  # nothing is left to do
    installed = found.installed()
    if installed and not guide.again and serves() and not guide.has_own_service:
        say("✓ It is installed and runs. `nightloom service status` shows how.")
        return True
    say(WHAT)
    question = "Bring it up to date and start it?" if installed else "Install and start it now?"
    if not guide.confirm(question, default=True):
        say(f"· {FOREGROUND}")
        return installed
    from daemon.cli.service import install

    guide.stop_own_service()  # there is one service to a home
    click.get_current_context().invoke(install)
    return True
