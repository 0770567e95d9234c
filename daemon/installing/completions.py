"""Completions for bash, zsh and fish, made from the command by click, and where they belong."""

from collections.abc import Mapping
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from daemon.installing.own_files import SIGN

COMMAND = "nightloom"
VARIABLE = "_NIGHTLOOM_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
# Below a data folder: of one user (XDG_DATA_HOME), where the shells look, and of the system.
IN_HOME = {
    "bash": "bash-completion/completions/nightloom",
    "zsh": "zsh/site-functions/_nightloom",
    "fish": "fish/vendor_completions.d/nightloom.fish",
}
IN_SYSTEM = IN_HOME | {"zsh": "zsh/vendor-completions/_nightloom"}


def completion(command: click.Command, shell: str) -> str:
    """The script for one shell; it asks `nightloom` itself, so it need not be made again."""
    found = get_completion_class(shell)
    assert found is not None
    asking = found(command, {}, COMMAND, VARIABLE)
    # `source` of bash starts a bash to look at its version; the text needs none
    text = (asking.source_template % asking.source_vars()).strip("\n")
    sign = f"# {SIGN}; `nightloom service install` makes it again."
    first, _, rest = text.partition("\n")
    if first.startswith("#"):  # `#compdef` of zsh stays first
        return f"{first}\n{sign}\n{rest}\n"
    return f"{sign}\n{text}\n"


def completions(command: click.Command, places: Mapping[str, str] = IN_HOME) -> dict[str, str]:
    """Path below the data folder, script."""
    return {places[shell]: completion(command, shell) for shell in SHELLS}


def data_folder(environ: Mapping[str, str]) -> Path:
    named = environ.get("XDG_DATA_HOME", "")
    return Path(named) if named.startswith("/") else Path(environ["HOME"]) / ".local" / "share"
