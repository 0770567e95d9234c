"""The base that the configuration names, and which adapters can answer with it. Without torch."""

from pathlib import Path

from daemon.bases import Bases
from daemon.errors import BaseUnusable, UnknownBase
from storage.records import PublishedAdapter
from trainer.base_format import BaseFacts


class ChosenBase:
    """Looks at the base's folder whenever it is asked.

    Args:
        bases: on this machine.
        name: `engine.base` of the configuration.
    """

    def __init__(self, bases: Bases, name: str) -> None:
        self._bases = bases
        self.name = name

    def folder(self) -> Path:
        """Raises `UnknownBase`, `BaseUnusable`."""
        return self._usable()[0]

    def facts(self) -> BaseFacts:
        """Raises `UnknownBase`, `BaseUnusable`."""
        return self._usable()[1]

    def identity(self) -> str | None:
        """What its adapters belong to; None as long as the base cannot be used."""
        try:
            return self.facts().identity
        except (UnknownBase, BaseUnusable):
            return None

    def problem(self) -> str | None:
        """Why it cannot be used, if it cannot."""
        try:
            self._usable()
        except (UnknownBase, BaseUnusable) as error:
            return str(error)
        return None

    def _usable(self) -> tuple[Path, BaseFacts]:
        found = self._bases.find(self.name)
        if found.facts is None or found.problem is not None:
            raise BaseUnusable(found.problem)
        return found.folder, found.facts


def answering(current: PublishedAdapter | None, base: str | None) -> PublishedAdapter | None:
    """The adapter that answers as `personal`: the one in use, if it belongs to this base."""
    return current if current is not None and current.base == base else None
