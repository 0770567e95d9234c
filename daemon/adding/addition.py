"""How a base is added, from what the user named to a folder under its name.

    hub      look -> config -> licence accepted -> tokenizer, index -> room on the disk
             -> for each shard: download, quantise, delete -> facts -> its name
    folder   licence accepted -> room on the disk -> each shard -> facts -> its name

Disk is taken by the 4-bit result and one shard, memory by one tensor. From the moment a licence was
accepted, an interrupted download goes on where it stood.
"""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from daemon.adding import licence as licences
from daemon.adding import wanted
from daemon.adding.errors import (
    BaseNotMade,
    BaseRefused,
    NoRoom,
    OtherUnfinished,
    RepositoryRefused,
)
from daemon.adding.hub import Hub, partial
from daemon.adding.licence import Licence
from daemon.adding.maker_handle import MakerHandle
from daemon.adding.names import FromFolder, FromHub
from daemon.adding.unfinished import Addition, Record
from daemon.adding.wanted import HubFile

Json = dict[str, Any]
Progress = Callable[[int, int], None]
MAIN = "main"  # the branch that the hub shows
HOPELESS = (BaseRefused, BaseNotMade, RepositoryRefused)  # another try would end the same way


class Watcher(Protocol):
    """Who is told, and asked, while a base is added."""

    def say(self, line: str) -> None:
        """A sentence for the user."""

    def accept(self, licence: Licence) -> None:
        """Returns if the licence is accepted, else raises LicenceNotAccepted or LicenceDiffers."""

    def stage(self, words: str, unit: str) -> AbstractContextManager[Progress]:
        """Shows how far something is; the unit is `bytes` or `tensors`."""


def add_from_folder(bases: Path, name: str, given: FromFolder, watcher: Watcher) -> Json:
    """Make a base of a full-precision folder; the folder is left as it is.

    Returns:
        The base's facts, with `warnings`.

    Raises:
        AddingError
    """
    with Addition.claimed(bases, name) as addition, MakerHandle() as maker:
        if (begun := addition.record()) is not None:
            raise OtherUnfinished(name, begun.origin, name)
        try:
            addition.restart()
            maker.check(given.path)
            licence = _folder_licence(given.path)
            watcher.accept(licence)
            opened = maker.open(given.path, addition.base)
            maker.check_present()
            _check_room(addition, opened, (), watcher)
            for shard in opened["waiting"]:
                with watcher.stage(f"quantising {shard}", "tensors") as at:
                    maker.take(shard, at)
            origin = f"folder:{given.label}"
            facts = _finish(maker, watcher, addition, given.label, licence, origin)
        except BaseException:
            addition.drop()
            raise
        return facts | {"warnings": _warnings(opened, watcher)}


def add_from_hub(
    bases: Path, name: str, given: FromHub, revision: str | None, hub: Hub, watcher: Watcher
) -> Json:
    """Download a model and make a base of it.

    Args:
        revision: branch, tag or commit; None for the hub's own choice, or for that which an
            interrupted download was pinned to.

    Returns:
        The base's facts, with `warnings`.

    Raises:
        AddingError, OSError
    """
    with Addition.claimed(bases, name) as addition, MakerHandle() as maker:
        try:
            record = _begun(addition, given, revision, watcher)
            if record is None:
                addition.restart()
                record = _begin(addition, given, revision or MAIN, hub, maker, watcher)
            opened = _open(addition, record, hub, maker)
            shards = wanted.shards(record.weights, opened["waiting"])
            _check_room(addition, opened, shards, watcher)
            for shard in shards:
                _download(record, shard, addition.source, hub, watcher)
                with watcher.stage(f"quantising {shard.name}", "tensors") as at:
                    maker.take(shard.name, at)
                (addition.source / shard.name).unlink()
            facts = _finish(maker, watcher, addition, given.label, record.licence, record.origin)
        except BaseException as error:
            if isinstance(error, HOPELESS) or addition.record() is None:
                addition.drop()
            elif isinstance(error, KeyboardInterrupt):
                watcher.say(
                    "What was downloaded is kept: the same command goes on from there, and "
                    f"`nightloom base remove {name}` drops it."
                )
            raise
        return facts | {"warnings": _warnings(opened, watcher)}


def _begun(
    addition: Addition, given: FromHub, revision: str | None, watcher: Watcher
) -> Record | None:
    """The download that was interrupted, if it is the one that is asked for."""
    record = addition.record()
    if record is None:
        return None
    same = record.repository == given.repository
    if not same or revision not in (None, record.revision, record.commit):
        raise OtherUnfinished(addition.name, record.origin, addition.name)
    watcher.say(
        f"Going on with what was begun, at commit {record.commit[:12]}; "
        f"`nightloom base remove {addition.name}` drops it instead."
    )
    return record


def _begin(
    addition: Addition,
    given: FromHub,
    revision: str,
    hub: Hub,
    maker: MakerHandle,
    watcher: Watcher,
) -> Record:
    """Look at what the repository has, and have its licence accepted."""
    found = hub.look(given.repository, revision)
    chosen = wanted.wanted(found.files)
    for file in chosen.first:
        hub.fetch(given.repository, found.commit, file, addition.source, _unwatched)
    architecture = maker.check(addition.source)
    watcher.say(
        f"{given.repository} at commit {found.commit[:12]} is a model of the kind {architecture}."
    )
    licence = licences.from_card(found.card, _licence_text(addition.source))
    watcher.accept(licence)
    record = Record(
        repository=given.repository,
        revision=revision,
        commit=found.commit,
        licence=licence,
        small=(*chosen.first, *chosen.then),
        weights=chosen.weights,
    )
    addition.write(record)
    return record


def _open(addition: Addition, record: Record, hub: Hub, maker: MakerHandle) -> Json:
    """Everything but the weights, downloaded and looked at."""
    for file in record.small:
        hub.fetch(record.repository, record.commit, file, addition.source, _unwatched)
    opened = maker.open(addition.source, addition.base)
    wanted.shards(record.weights, opened["shards"])
    return opened


def _download(record: Record, shard: HubFile, folder: Path, hub: Hub, watcher: Watcher) -> None:
    with watcher.stage(f"downloading {shard.name}", "bytes") as at:
        hub.fetch(record.repository, record.commit, shard, folder, at)


def _check_room(
    addition: Addition, opened: Json, waiting: tuple[HubFile, ...], watcher: Watcher
) -> None:
    """Raises NoRoom."""
    here = 0
    if waiting:
        places = (partial(addition.source, waiting[0]), addition.source / waiting[0].name)
        here = sum(place.stat().st_size for place in places if place.exists())
    room = wanted.room(
        base_bytes=int(opened["size_bytes"]),
        written_bytes=addition.written_bytes,
        waiting=waiting,
        downloaded_bytes=here,
        free=shutil.disk_usage(addition.base).free,
    )
    base, download, free = (_size(one) for one in (room.base, room.download, room.free))
    if not room.enough:
        raise NoRoom(_size(room.needed), base, download, free)
    left = sum(file.size for file in waiting) - here
    needs = f"{base} of disk for the 4-bit base"
    if waiting:
        needs = f"{_size(left)} to download and {download} of disk for one file of it, and {needs}"
    watcher.say(f"It takes {needs}; {free} are free.")


def _finish(
    maker: MakerHandle,
    watcher: Watcher,
    addition: Addition,
    label: str,
    licence: Licence,
    origin: str,
) -> Json:
    with watcher.stage("reading the result once more", "bytes") as at:
        facts = maker.finish(
            at,
            name=label,
            licence=licence.recorded,
            description=f"{label} in 4 bits.",
            origin=origin,
        )
    addition.publish()
    return facts


def _warnings(opened: Json, watcher: Watcher) -> list[str]:
    if not opened["plain_template"]:
        return []
    warning = (
        "The tokenizer has no chat template, so chats are put to the model as a page of dialogue; "
        "a base that was trained on instructions answers worse that way."
    )
    watcher.say(warning)
    return [warning]


def _folder_licence(folder: Path) -> Licence:
    """As far as a folder says: in its README's front matter, and in a licence file."""
    card = licences.card_of(_text(folder / "README.md") or "")
    return licences.from_card(card, _licence_text(folder))


def _licence_text(folder: Path) -> str | None:
    return next((text for name in wanted.FIRST[1:] if (text := _text(folder / name))), None)


def _text(path: Path) -> str | None:
    """The beginning of a text file, if there is one."""
    try:
        with path.open("rb") as file:
            return file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return None


def _size(count: float) -> str:
    """Bytes for a sentence, powers of ten as disks count."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _unwatched(done: int, total: int) -> None:
    """Small files come without a bar."""
