"""The folder of an addition under way: what was downloaded, what was made of it, what it is.

    <bases>/.adding/NAME/
        addition.json   where it comes from, at which commit, what was accepted
        source/         config and tokenizer, and one shard at a time
        base/           the 4-bit base as it grows
        lock            held by the command that is at it

All of it is the user's alone, and it is gone when the base is whole.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from daemon.adding.errors import AlreadyAdding, NameTaken
from daemon.adding.licence import Licence
from daemon.adding.names import is_name
from daemon.adding.wanted import HubFile
from storage.durable import PRIVATE_FOLDER, lock_exclusively, replace_file, sync_folder

FOLDER = ".adding"
RECORD_FORMAT = 1
BLOCK_BYTES = 512  # of st_blocks, whatever the file system has (stat(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A download whose licence was accepted; it is pinned to one commit."""

    repository: str
    revision: str  # what was asked for: a branch, a tag or a commit
    commit: str
    licence: Licence
    small: tuple[HubFile, ...]
    weights: tuple[HubFile, ...]

    @property
    def origin(self) -> str:
        """What a base's facts say."""
        return f"hub:{self.repository}@{self.commit}"


class Addition:
    """The folder of one addition; made by `claimed`."""

    def __init__(self, bases: Path, name: str) -> None:
        self.name = name
        self._place = bases / name
        self._root = self.folder(bases, name)
        self.source = self._root / "source"
        self.base = self._root / "base"

    @classmethod
    @contextlib.contextmanager
    def claimed(cls, bases: Path, name: str) -> Iterator[Self]:
        """The folder, held by this process until the block ends.

        Raises:
            NameTaken: there is such a base already.
            AlreadyAdding: another process holds it.
        """
        taken = {one.name.lower(): one.name for one in bases.iterdir()} if bases.is_dir() else {}
        if name.lower() in taken:  # some file systems make no difference
            raise NameTaken(taken[name.lower()] if is_name(taken[name.lower()]) else name)
        addition = cls(bases, name)
        for folder in (addition._root.parent, addition._root):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        lock = lock_exclusively(addition._root / "lock")
        if lock is None:
            raise AlreadyAdding(name)
        try:
            for folder in (addition.source, addition.base):
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            yield addition
        finally:
            os.close(lock)

    @staticmethod
    def folder(bases: Path, name: str) -> Path:
        """Where all of it lies."""
        return bases / FOLDER / name

    @property
    def written_bytes(self) -> int:
        """Disk that the growing base takes; its file has holes where nothing was written yet."""
        return sum(one.stat().st_blocks * BLOCK_BYTES for one in self.base.iterdir())

    def record(self) -> Record | None:
        """What was begun here, if anything was."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return _record(json.loads((self._root / "addition.json").read_text("utf-8")))
        return None

    def write(self, record: Record) -> None:
        """From here on an interruption can be made up for."""
        raw = {"format": RECORD_FORMAT} | asdict(record)
        replace_file(self._root / "addition.json", json.dumps(raw, indent=1).encode())

    def restart(self) -> None:
        """Forget what an earlier addition left."""
        for folder in (self.source, self.base):
            shutil.rmtree(folder)
            folder.mkdir(mode=PRIVATE_FOLDER)

    def publish(self) -> Path:
        """Put the whole base under its name, in one step, and drop the rest.

        Raises:
            NameTaken: somebody put one there in the meantime.
        """
        if self._place.exists():
            raise NameTaken(self.name)
        sync_folder(self.base)
        self.base.rename(self._place)
        sync_folder(self._place.parent)
        self.drop()
        return self._place

    def drop(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self._root, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may be in there
            self._root.parent.rmdir()


def unfinished(bases: Path) -> list[str]:
    """Names under which something was begun."""
    folder = bases / FOLDER
    return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _record(raw: dict[str, Any]) -> Record | None:
    if raw.pop("format") != RECORD_FORMAT:
        return None
    licence = Licence(**raw.pop("licence"))
    small = tuple(HubFile(**one) for one in raw.pop("small"))
    weights = tuple(HubFile(**one) for one in raw.pop("weights"))
    return Record(licence=licence, small=small, weights=weights, **raw)
