"""The bases on this machine: the built-in one and those under the home folder. Without torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.errors import UnknownBase
from trainer.base_format import BaseFacts, read_facts
from trainer.builtin_base import BUILTIN_BASE
from trainer.errors import BaseError

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBase:
    """A base folder and what it says of itself; `problem` is set when it cannot be used."""

    name: str  # what `engine.base` in the configuration calls it
    folder: Path
    facts: BaseFacts | None
    problem: str | None = None


class Bases:
    """Finds bases by name. `folder` holds one folder per added base."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[FoundBase]:
        return [_read(name, folder) for name, folder in self._folders()]

    def find(self, name: str) -> FoundBase:
        """Raises `UnknownBase`."""
        for known, folder in self._folders():
            if known == name:
                return _read(name, folder)
        raise UnknownBase

    def _folders(self) -> Iterator[tuple[str, Path]]:
        yield BUILTIN, BUILTIN_BASE
        if self._folder.is_dir():
            yield from (
                (each.name, each) for each in sorted(self._folder.iterdir()) if each.is_dir()
            )


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
        "problem": base.problem,
    }
