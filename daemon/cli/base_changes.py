"""`nightloom base use` and `nightloom base remove`: which base is in use, and which is there.

Both act on files of the home, and ask the service, where it runs, what depends on them.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.errors import NobodyToAsk, NotConfirmed
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration, home
from ipc.errors import NotRunning

if TYPE_CHECKING:
    from daemon.bases import FoundBase


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the service says, where one runs; only it can open the vault."""

    base: str
    adapters: list[Json]

    def of(self, identity: str | None) -> list[str]:
        """Digests of the adapters that belong to a base."""
        return [one["sha256"] for one in self.adapters if one["base"] == identity]


@click.command()
@click.argument("name")
@json_option
def use(name: str, as_json: bool) -> None:
    """Serve and train on base NAME from the service's next start on."""
    base = found(name)
    if base.facts is None:
        from daemon.errors import BaseBroken

        raise BaseBroken(base.problem)
    changed = _configured() != name
    if changed:
        configure(home().config_file, name)
    running = _running()
    identity = base.facts.identity
    answer = {
        "name": name,
        "identity": identity,
        "changed": changed,
        "restart_needed": running is not None and running.base != name,
        "adapters": None if running is None else len(running.of(identity)),
        "other_adapters": None
        if running is None
        else len(running.adapters) - len(running.of(identity)),
    }
    show(answer, as_json, _used_text)


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
def remove(name: str, yes: bool, as_json: bool) -> None:
    """Delete base NAME, or what was downloaded of one that was never finished.

    Its adapters stay in the vault; they answer again when the same base is added again.
    """
    from daemon.bases import BUILTIN, Bases
    from daemon.errors import BaseBuiltIn, BaseInUse

    if name == BUILTIN:
        raise BaseBuiltIn
    base = found(name)
    running = _running()
    if name in (_configured(), running and running.base):
        raise BaseInUse
    identity = base.facts.identity if base.facts else None
    needing = None if running is None else running.of(identity)
    freed = base.disk_bytes
    if not yes:
        _confirm(_question(base, freed, needing))
    Bases(home().bases).remove(name)
    answer = {"name": name, "freed_bytes": freed, "adapters": needing}
    show(answer, as_json, _removed_text)


def found(name: str) -> "FoundBase":
    """The base of this name. Raises NoSuchBase."""
    from daemon.bases import Bases
    from daemon.errors import NoSuchBase, UnknownBase

    try:
        return Bases(home().bases).find(name)
    except UnknownBase:
        raise NoSuchBase from None


def _configured() -> str:
    """The name of the base that the configuration says. Raises ConfigError."""
    from daemon.config import load_config

    return load_config(home().config_file).engine.base


def configure(config_file: Path, name: str) -> None:
    """Write down which base is used. Raises ConfigError, ConfigNotEdited."""
    from daemon.config_edit import with_base
    from storage.durable import replace_file

    home().create_folders()
    place = config_file.resolve()  # a link stays one
    before = place.read_bytes().decode("utf-8") if place.exists() else ""
    replace_file(place, with_base(before, name).encode("utf-8"))


def _running() -> Running | None:
    try:
        with administration() as service:
            return Running(base=service.status()["base"], adapters=service.adapters())
    except NotRunning:
        return None


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise NobodyToAsk
    if not click.confirm(question, err=True):
        raise NotConfirmed


def _question(base: "FoundBase", freed: int, needing: list[str] | None) -> str:
    if base.facts is None:
        needed = ""
    elif needing is None:
        needed = " Whether adapters need it cannot be seen, because the service does not run."
    elif needing:
        named = ", ".join(text.short(one) for one in needing)
        needed = f" {text.plural(len(needing), 'adapter')} cannot answer without it: {named}."
    else:
        needed = " No adapter needs it."
    return f"Base {text.printable(base.name)} takes {text.size(freed)}.{needed} Delete it?"


def _used_text(answer: Json) -> str:
    name = text.value(answer["name"])
    if answer["restart_needed"]:
        lines = [f"Base {name} is used when the service is started again (`nightloom run`)."]
    elif answer["adapters"] is None:
        lines = [f"Base {name} is used from the next `nightloom run` on."]
    else:
        lines = [f"Base {name} is the one in use."]
    if answer["changed"]:
        others = answer["other_adapters"]
        count = "adapters" if others is None else text.plural(others, "adapter")
        if others != 0:
            lines.append(
                f"What was learned on another base ({count}) is kept and does not answer on this "
                "one: 'personal' is the bare base until a night has learned again from the vault."
            )
    return "\n".join(lines)


def _removed_text(answer: Json) -> str:
    freed = text.size(answer["freed_bytes"])
    return f"Base {text.value(answer['name'])} is gone; {freed} are free again."
