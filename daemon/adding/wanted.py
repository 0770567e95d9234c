"""What of a repository is downloaded, and how much disk that needs. Pure.

A repository's list of files is hostile input: names are compared with those that are known, and
what is not wanted is not asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from daemon.adding.errors import FileTooLarge, FileUnverifiable, OnlyPickles, RepositoryLacks

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
# What decides about the model is looked at before anything else is downloaded.
FIRST = (CONFIG, "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt")
THEN = (
    TOKENIZER, "tokenizer_config.json", "generation_config.json", "chat_template.jinja", INDEX,
)  # fmt: skip
NEEDED = (CONFIG, TOKENIZER)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
SMALL_FILE_LIMIT_BYTES = 64 * 1024 * 1024
MARGIN_BYTES = 64 * 1024 * 1024  # for tokenizer, config and what a file system keeps for itself


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of a repository, with what its bytes have to be."""

    name: str
    size: int
    sha256: str | None  # of files that are kept as large ones
    git_sha1: str | None  # git's name of the blob, for the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is downloaded of a repository."""

    first: tuple[HubFile, ...]  # config and licence
    then: tuple[HubFile, ...]  # tokenizer and index
    weights: tuple[HubFile, ...]  # safetensors; the index says which of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes of disk that adding a base takes at its widest moment."""

    base: int
    download: int  # the largest file: each is deleted before the next one comes
    free: int

    @property
    def needed(self) -> int:
        return self.base + self.download + MARGIN_BYTES

    @property
    def enough(self) -> bool:
        return self.needed <= self.free


def wanted(files: Iterable[HubFile]) -> Wanted:
    """Choose what is needed.

    Raises:
        RepositoryLacks, OnlyPickles, FileTooLarge, FileUnverifiable
    """
    top = {file.name: file for file in files if "/" not in file.name}
    weights = tuple(top[name] for name in sorted(top) if name.endswith(".safetensors"))
    if INDEX not in top and WHOLE not in top:
        pickles = sorted(name for name in top if PurePosixPath(name).suffix in PICKLES)
        if pickles and not weights:
            raise OnlyPickles(_shown(pickles[0]))
        raise RepositoryLacks(WHOLE)
    for name in NEEDED:
        if name not in top:
            raise RepositoryLacks(name)
    chosen = Wanted(
        first=tuple(top[name] for name in FIRST if name in top),
        then=tuple(top[name] for name in THEN if name in top),
        weights=weights if INDEX in top else (top[WHOLE],),
    )
    for file in (*chosen.first, *chosen.then):
        if file.size > SMALL_FILE_LIMIT_BYTES:
            raise FileTooLarge(file.name)
    for file in (*chosen.first, *chosen.then, *chosen.weights):
        if file.sha256 is None and file.git_sha1 is None:
            raise FileUnverifiable(_shown(file.name))
    return chosen


def shards(weights: Sequence[HubFile], names: Iterable[str]) -> tuple[HubFile, ...]:
    """The files that hold the weights, as the index names them.

    Raises:
        RepositoryLacks: one of them is not there.
    """
    known = {file.name: file for file in weights}
    missing = [name for name in names if name not in known]
    if missing:
        raise RepositoryLacks(_shown(missing[0]))
    return tuple(known[name] for name in names)


def room(
    *,
    base_bytes: int,
    written_bytes: int,
    waiting: Sequence[HubFile],
    downloaded_bytes: int,
    free: int,
) -> Room:
    """What is still to be written.

    Args:
        written_bytes: of the base, on the disk already.
        waiting: shards that are still to be downloaded, the next one first.
        downloaded_bytes: of the next shard, on the disk already.
    """
    sizes = [file.size for file in waiting]
    if sizes:
        sizes[0] = max(0, sizes[0] - downloaded_bytes)
    return Room(base=max(0, base_bytes - written_bytes), download=max(sizes, default=0), free=free)


def _shown(name: str) -> str:
    """A repository's own file name, fit for a sentence."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in name)[:80]
