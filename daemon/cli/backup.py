"""`nightloom backup` and `nightloom restore`: the vault as one sealed file, and back."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import click

from daemon.cli import text
from daemon.cli.errors import BackupFileExists
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration, home
from daemon.cli.recovery_key import known_recovery_key, recovery_key_file_option
from daemon.home import Home

PRIVATE = 0o600
PARTIAL = ".partial"
NOT_IN_IT = (
    "Not in it: the files in your folders, the base models, config.toml, and the slots that open\n"
    "on this machine only."
)


# --------------------------------------------------------------------------- backup


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write the vault into one sealed FILE, which its recovery key opens.

    The service goes on working meanwhile. Nobody's secret is needed.
    """
    if file.exists() and not force:
        raise BackupFileExists
    with administration() as service, closing(service.backup()) as parts:
        holds = next(parts)
        assert isinstance(holds, dict)
        with _written_whole(file, force=force) as write:
            made = _receive(parts, write, holds["about_bytes"])
    show(made | {"file": str(file)}, as_json, _backup_text)


def _receive(
    parts: "Iterator[Json | bytes]", write: Callable[[bytes], object], about_bytes: int
) -> Json:
    from daemon.cli.base_progress import stage

    done = 0
    with stage("backing up", "bytes") as report:
        for part in parts:
            if isinstance(part, dict):
                report(done, max(done, 1))
                return dict(part["backup"])
            write(part)
            done += len(part)
            report(done, max(about_bytes, done + 1))  # how much it will be is not known exactly
    raise AssertionError("the client ends only after the last part")


@contextmanager
def _written_whole(file: Path, *, force: bool) -> Iterator[Callable[[bytes], object]]:
    """A way to write `file`, which appears when all is on the medium, or not at all."""
    partial = file.with_name(file.name + PARTIAL)
    partial.unlink(missing_ok=True)  # of one that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(partial, flags, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            yield opened.write
            opened.flush()
            os.fsync(opened.fileno())
        if file.exists() and not force:
            raise BackupFileExists
        partial.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _backup_text(made: Json) -> str:
    held = f"{text.plural(made['documents'], 'document')} and "
    held += text.plural(made["adapters"], "adapter")
    return (
        f"Backed up {held}, {text.size(made['bytes'])}, to {text.printable(made['file'])}.\n\n"
        "Only the recovery key opens it; keep the two apart, and the file away from this machine.\n"
        f"{NOT_IN_IT}\n"
        "What is forgotten from now on stays in this file; delete it when it must go as well."
    )


# --------------------------------------------------------------------------- restore


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@recovery_key_file_option
@click.option(
    "--even-if-damaged",
    is_flag=True,
    help="Also restore a vault that was damaged already when it was backed up.",
)
@json_option
def restore(
    file: Path, recovery_key_file: Path | None, even_if_damaged: bool, as_json: bool
) -> None:
    """Make the vault from a backup FILE, where there is none yet; asks for the recovery key."""
    from ipc.sockets import lock
    from storage.backup_format import Header
    from storage.errors import VaultExists

    at = home()
    with _closing_descriptor(lock(at.runtime)), file.open("rb") as opened:
        if at.vault_exists():
            raise VaultExists
        if opened.seekable():  # before anybody types a key
            Header.read(opened)
            opened.seek(0)
        key = known_recovery_key(recovery_key_file)
        with _reading(opened) as source:
            from storage.restoring import restore as restore_from

            restored = restore_from(source, at.vault, key, even_if_damaged=even_if_damaged)
        at.create_folders()
    show(_with_bases(dataclasses.asdict(restored), at), as_json, _restored_text)


@contextmanager
def _closing_descriptor(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, opened: IO[bytes], report: Callable[[int, int], None]) -> None:
        self._opened = opened
        self._report = report
        self._total = os.fstat(opened.fileno()).st_size
        self._done = 0

    def read(self, count: int, /) -> bytes:
        data = self._opened.read(count)
        self._done += len(data)
        self._report(self._done, max(self._total, self._done))
        return data


@contextmanager
def _reading(opened: IO[bytes]) -> Iterator[_Counted]:
    from daemon.cli.base_progress import stage

    with stage("restoring", "bytes") as report:
        yield _Counted(opened, report)


def _with_bases(restored: Json, at: Home) -> Json:
    """With the name that each of its bases has on this machine, or None."""
    from daemon.bases import Bases

    here = {base.facts.identity: base.name for base in Bases(at.bases).all() if base.facts}
    bases = [{"identity": identity, "name": here.get(identity)} for identity in restored["bases"]]
    return restored | {"slots": list(restored["slots"]), "bases": bases}


def _restored_text(restored: Json) -> str:
    held = ", ".join(
        text.plural(restored[name], noun)
        for name, noun in (
            ("documents", "document"),
            ("adapters", "adapter"),
            ("sources", "source"),
        )
    )
    of_day = f" of {restored['day']}" if restored["day"] else ""
    slots = " or ".join(_SLOT_WORDS.get(kind, kind) for kind in restored["slots"])
    lines = [
        f"Restored the backup{of_day}: {held}.",
        f"The vault opens with {slots}.",
        *_damage(restored),
        "",
        "Next: start the service with `nightloom run`.",
        "- `nightloom key add` lets the vault open at night without you on this machine.",
        "- `nightloom privacy sources list` shows which folders are missing here. Their documents\n"
        "  stay; remove such a source and add its folder under the new path.",
        *_bases(restored["bases"]),
        "- What was forgotten after the backup was made is in it again: forget it once more.",
    ]
    return "\n".join(lines)


_SLOT_WORDS: dict[Any, str] = {
    "passphrase": "its passphrase",
    "recovery": "its recovery key",
}


def _damage(restored: Json) -> list[str]:
    if not restored["damaged"]:
        return []
    return [f"{text.count(restored['damaged'])} parts of it were damaged already and do not open."]


def _bases(bases: list[Json]) -> list[str]:
    """What each adapter needs to answer, as far as it is not here."""
    missing = [base["identity"] for base in bases if base["name"] is None]
    lines = [
        f"- Its adapters belong to base {text.short(base['identity'])}, here named "
        f"{text.value(base['name'])}: `nightloom base use {text.value(base['name'])}`."
        for base in bases[:1]
        if base["name"] is not None
    ]
    if missing:
        named = ", ".join(map(text.short, missing))
        lines.append(
            f"- These bases of its adapters are not on this machine: {named}. Add them with\n"
            "  `nightloom base add`; `nightloom base list` shows their identity. Until then the\n"
            "  base in use answers alone, and the nights learn anew from the documents."
        )
    return lines
