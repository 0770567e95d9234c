"""The globs that leave files out of all sources: kept in the vault, for they tell of folders.

Text that a new glob excludes leaves the vault; lifting the glob collects it again.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from daemon.collecting.collector import Collector
from daemon.errors import ExclusionInvalid, ExclusionsDamaged, ExclusionUnknown
from daemon.vault_door import Door
from storage.errors import RowDamaged

KEPT_AS = "exclusions"
LONGEST_GLOB = 500  # characters
MOST_GLOBS = 500
_MAGIC = frozenset("*?[")


class Exclusions:
    """Keeps the list, and the collector up to date with it."""

    def __init__(self, door: Door, collector: Collector) -> None:
        self._door = door
        self._collector = collector

    async def enter(self) -> None:
        """Give the collector the kept globs, before it has sources.

        A list that cannot be read might have left out anything, so then nothing is collected.
        """
        try:
            globs = await self.list()
        except ExclusionsDamaged:
            self._collector.pause_all(KEPT_AS)
            return
        self._collector.resume_all(KEPT_AS)
        self._collector.exclude(globs)

    async def list(self) -> "list[str]":
        """In the order in which they were added. Raises `ExclusionsDamaged`."""
        try:
            kept = await self._door.call(lambda vault: vault.settings.get(KEPT_AS))
        except RowDamaged:
            raise ExclusionsDamaged from None
        return list(kept or ())

    async def add(self, glob: str) -> tuple[str, int]:
        """The glob as it is kept, and how many documents left the vault.

        Raises `ExclusionInvalid`. A damaged list begins anew with this glob.
        """
        glob = checked(glob)
        try:
            globs = await self.list()
        except ExclusionsDamaged:
            globs = []
        if len(globs) >= MOST_GLOBS:
            raise ExclusionInvalid(f"there are {MOST_GLOBS} already")
        if glob not in globs:
            await self._keep([*globs, glob])
        return glob, await self._collector.sweep()

    async def remove(self, glob: str) -> None:
        """What it left out is collected from now on. Raises `ExclusionUnknown`."""
        globs = await self.list()
        meant = glob if glob in globs else checked(glob)
        if meant not in globs:
            raise ExclusionUnknown
        await self._keep([one for one in globs if one != meant])

    async def _keep(self, globs: Sequence[str]) -> None:
        await self._door.call(lambda vault: vault.settings.put(KEPT_AS, list(globs) or None))
        self._collector.exclude(globs)
        self._collector.resume_all(KEPT_AS)


def checked(glob: str) -> str:
    """A glob as it is kept: `~` and links on its way are followed, as in the paths of sources.

    Raises:
        ExclusionInvalid: it is empty, too long, or holds what no name can.
    """
    glob = glob.strip()
    if not glob.strip("/"):
        raise ExclusionInvalid("it is empty")
    if len(glob) > LONGEST_GLOB:
        raise ExclusionInvalid(f"it has more than {LONGEST_GLOB} characters")
    if any(ord(letter) < 32 for letter in glob):
        raise ExclusionInvalid("it holds a character that no name has")
    if glob.startswith("~"):
        glob = str(Path(glob).expanduser())
    return _followed(glob) if glob.startswith("/") else glob


def _followed(glob: str) -> str:
    parts = glob.split("/")
    plain = next((i for i, part in enumerate(parts) if _MAGIC & set(part)), len(parts))
    # all but the last plain name, which may not be there yet or be a link that is meant itself
    rest = parts[max(1, plain - 1) :] if plain == len(parts) else parts[plain:]
    above = os.path.realpath("/".join(parts[: len(parts) - len(rest)]) or "/")
    return "/".join([above.rstrip("/"), *rest])
