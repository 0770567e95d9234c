"""The bases on this machine: the built-in one and those under the home folder. Without torch."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.adding.names import BUILTIN
from daemon.adding.unfinished import BLOCK_BYTES, Addition, unfinished
from daemon.errors import BaseBuiltIn, NoSuchBase, UnknownBase
from trainer.base_format import BaseFacts, read_facts
from trainer.builtin_base import BUILTIN_BASE
from trainer.errors import BaseError

__all__ = ["BUILTIN", "Bases", "FoundBase", "shown"]

UNFINISHED = (
    "It is being added, or that was interrupted; the same `nightloom base add` goes on, "
    "`nightloom base remove` drops it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBase:
    """A base folder and what it says of itself; `problem` is set when it cannot be used."""

    name: str  # what `engine.base` in the configuration calls it
    folder: Path
    facts: BaseFacts | None
    problem: str | None = None

    @property
    def disk_bytes(self) -> int:
        """What removing it gives back."""
        files = (one for one in self.folder.rglob("*") if one.is_file() and not one.is_symlink())
        return sum(one.stat().st_blocks * BLOCK_BYTES for one in files)


class Bases:
    """Finds bases by name. `folder` holds one folder per added base."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[FoundBase]:
        """The whole ones, then those that are still being added."""
        return [_read(name, folder) for name, folder in self._folders()] + list(self._begun())

    def find(self, name: str) -> FoundBase:
        """Raises `UnknownBase`."""
        for known, folder in self._folders():
            if known == name:
                return _read(name, folder)
        for begun in self._begun():
            if begun.name == name:
                return begun
        raise UnknownBase

    def remove(self, name: str) -> None:
        """Delete an added base, or what is there of one that is not whole.

        Raises:
            NoSuchBase, BaseBuiltIn
            AlreadyAdding: a command is adding it at this moment.
        """
        if name == BUILTIN:
            raise BaseBuiltIn
        place = self._folder / name
        if name in dict(self._folders()):
            doomed = place.with_name(f".removing-{name}")  # so that no half base keeps its name
            shutil.rmtree(doomed, ignore_errors=True)
            place.rename(doomed)
            shutil.rmtree(doomed)
        elif name in unfinished(self._folder):
            with Addition.claimed(self._folder, name) as addition:
                addition.drop()
        else:
            raise NoSuchBase

    def _folders(self) -> Iterator[tuple[str, Path]]:
        yield BUILTIN, BUILTIN_BASE
        if self._folder.is_dir():
            yield from (
                (each.name, each)
                for each in sorted(self._folder.iterdir())
                if each.is_dir() and not each.name.startswith(".")
            )

    def _begun(self) -> Iterator[FoundBase]:
        for name in unfinished(self._folder):
            folder = Addition.folder(self._folder, name)
            yield FoundBase(name=name, folder=folder, facts=None, problem=UNFINISHED)


def _read(name: str, folder: Path) -> FoundBase:
    try:
        return FoundBase(name=name, folder=folder, facts=read_facts(folder))
    except BaseError as error:
        return FoundBase(name=name, folder=folder, facts=None, problem=str(error))


def shown(base: FoundBase, *, in_use: bool) -> dict[str, Any]:
    """A line of `base list --json`."""
    facts = base.facts
    return {
        "name": base.name,
        "in_use": in_use,
        "identity": facts.identity if facts else None,
        "model": facts.name if facts else None,
        "parameters": facts.parameters if facts else None,
        "context_tokens": facts.context_tokens if facts else None,
        "weights_bytes": facts.weights_bytes if facts else None,
        "licence": facts.licence if facts else None,
        "description": facts.description if facts else None,
        "origin": facts.origin if facts else None,
        "problem": base.problem,
    }
