"""A full disk at every write of the vault: a clear refusal, nothing lost, and it goes on later.

Each step is tried on a small disk with every amount of room from none to enough.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from storage import durable, sealed_files
from storage.durable import replace_file
from storage.errors import StorageFailing, StorageFull
from storage.keys import RecoveryKey
from storage.known_files import FileStamp
from storage.records import DocumentState, SourceSettings, StoredDocument
from storage.vault import Vault
from tests.storage.backing_up import backed_up, furnish, make_vault, restored
from tests.storage.full_disk import PAGE_BYTES, SmallDisk, small_disk
from tests.storage.making import FAST, PASSPHRASE, publish, put, reopen, written

DISK_BYTES = 8 << 20
DOCUMENTS = 20
MOST_PAGES = 1024
# Every page where SQLite's and our own files begin, then in growing steps.
ROOM = (*range(0, 13), 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, MOST_PAGES)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        yield disk


@pytest.fixture
def furnished(tmp_path: Path) -> tuple[Path, RecoveryKey]:
    """A closed vault on a large disk, to be copied onto the small one."""
    vault, key = make_vault(tmp_path / "furnished")
    with vault:
        furnish(vault)
    return tmp_path / "furnished", key


def remember(vault: Vault) -> None:
    stamp = FileStamp(mtime_ns=1, size=1, rules_version=1)
    vault.known_files.remember("notes", {f"/{number}": stamp for number in range(500)})


def many(vault: Vault) -> None:
    vault.documents.put_many([written(f"many {n} " * 300, f"/many/{n}.md") for n in range(100)])


def a_night(vault: Vault) -> None:
    with vault.transaction():
        publish(vault, b"third adapter" * 20_000)
        vault.documents.set_states({3: DocumentState.LEARNED})
        vault.ledger.update_night(1, {"state": "done", "told": "y" * 3000})


STEPS: dict[str, Callable[[Vault], object]] = {
    "one document": lambda vault: put(vault, "new " * 5000, "/new.md"),
    "a new version": lambda vault: put(vault, "new " * 5000, "/home/zennor/2.md"),
    "many documents": many,
    "states": lambda vault: vault.documents.set_states({3: DocumentState.LEARNED}),
    "files seen": remember,
    "a source": lambda vault: vault.sources.add(
        SourceSettings(name="more", kind="folder", path="/more")
    ),
    "no source": lambda vault: vault.sources.remove("moth-notes"),
    "a checkpoint": lambda vault: vault.checkpoints.write("night-1", [b"later" * 60_000]),
    "no checkpoint": lambda vault: vault.checkpoints.delete("night-1"),
    "samples": lambda vault: vault.samples.write("samples-2", [b"general" * 9000]),
    "an adapter": lambda vault: publish(vault, b"third adapter" * 20_000),
    "going back": lambda vault: vault.shelf.rollback(),
    "a night begins": lambda vault: vault.ledger.begin_night({"told": "y" * 3000}),
    "a night ends": a_night,
    "an event": lambda vault: vault.ledger.append_event("collected", {"documents": 1}),
    "a setting": lambda vault: vault.settings.put("exclude", ["*.tmp"] * 300),
    "a passphrase less": lambda vault: vault.remove_slot("passphrase", keepers=()),
    "a rotation": lambda vault: vault.rotate(),
    "forgetting": lambda vault: vault.documents.delete([4, 5]),
}
# What the step itself takes away.
FEWER = {"forgetting": 2}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_done_or_refused_and_nothing_is_lost(
    step: str, disk: SmallDisk, furnished: tuple[Path, RecoveryKey]
) -> None:
    source, key = furnished
    outcomes = set()
    for number, pages in enumerate(ROOM):
        folder = disk.folder / f"vault-{number}"
        shutil.copytree(source, folder)
        with Vault.open(folder, key) as vault:
            before = state_of(vault)
            disk.fill(leave_bytes=pages * PAGE_BYTES)
            done = attempt(lambda: STEPS[step](vault))
            outcomes.add(done)
            assert vault.verify().intact
            assert documents_in(vault) >= DOCUMENTS + 1 - (FEWER.get(step, 0) if done else 0)
            if not done:
                assert state_of(vault) == before
            disk.give_back()
            assert vault.verify().intact
            if not done:
                STEPS[step](vault)  # the same vault goes on
                assert vault.verify().intact
        with Vault.open(folder, key) as vault:
            assert vault.verify().intact
            assert vault.opening.swept_files == 0 or not done
        assert not list(folder.rglob("*.tmp"))
        shutil.rmtree(folder)
    assert outcomes == {True, False}, "the disk was never full, or never had room"


@pytest.mark.parametrize("step", ["one document", "a checkpoint", "a night ends"])
def test_a_vault_is_closed_and_opened_while_the_disk_is_full(
    step: str, disk: SmallDisk, furnished: tuple[Path, RecoveryKey]
) -> None:
    source, key = furnished
    for number, pages in enumerate((0, 2, 8, 16, 64)):
        folder = disk.folder / f"vault-{number}"
        shutil.copytree(source, folder)
        vault = Vault.open(folder, key)
        disk.fill(leave_bytes=pages * PAGE_BYTES)
        attempt(lambda: STEPS[step](vault))  # noqa: B023 - called at once
        vault.close()

        def look() -> None:
            with Vault.open(folder, key) as again:  # noqa: B023 - called at once
                assert again.verify().intact

        attempt(look)
        disk.give_back()
        look()
        shutil.rmtree(folder)


def test_a_vault_is_made_whole_or_not_at_all(disk: SmallDisk) -> None:
    folder = disk.folder / "vault"
    outcomes = set()
    for pages in ROOM:
        disk.fill(leave_bytes=pages * PAGE_BYTES)

        def create() -> None:
            Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)[0].close()

        done = attempt(create)
        outcomes.add(done)
        disk.give_back()
        assert [path.name for path in disk.folder.iterdir()] == (["vault"] if done else [])
        if done:
            with reopen(folder) as vault:
                assert vault.verify().intact
            shutil.rmtree(folder)
    assert outcomes == {True, False}


def test_a_backup_is_restored_whole_or_not_at_all(
    disk: SmallDisk, furnished: tuple[Path, RecoveryKey]
) -> None:
    source, key = furnished
    with Vault.open(source, key) as vault:
        data = backed_up(vault)
    folder = disk.folder / "vault"
    outcomes = set()
    for pages in ROOM:
        disk.fill(leave_bytes=pages * PAGE_BYTES)
        done = attempt(lambda: restored(data, folder, key))
        outcomes.add(done)
        disk.give_back()
        assert [path.name for path in disk.folder.iterdir()] == (["vault"] if done else [])
        if done:
            with Vault.open(folder, key) as vault:
                assert vault.verify().intact
            shutil.rmtree(folder)
    assert outcomes == {True, False}


def test_a_backup_needs_no_room_on_the_disk_of_the_vault(
    disk: SmallDisk, furnished: tuple[Path, RecoveryKey], tmp_path: Path
) -> None:
    source, key = furnished
    shutil.copytree(source, disk.folder / "vault")
    with Vault.open(disk.folder / "vault", key) as vault:
        disk.fill()
        data = backed_up(vault)
    assert restored(data, tmp_path / "elsewhere", key).documents == DOCUMENTS


def test_what_a_crash_left_opens_as_soon_as_there_is_room(
    disk: SmallDisk, furnished: tuple[Path, RecoveryKey]
) -> None:
    """The power went with a log that is not empty; its index needs room before anything else."""
    source, key = furnished
    folder = disk.folder / "vault"
    shutil.copytree(source, folder)
    with Vault.open(folder, key) as vault:
        put(vault, "in the log only", "/log.md")
        shutil.copytree(folder, disk.folder / "left")
    shutil.rmtree(folder)
    left = disk.folder / "left"
    (left / "vault.db-shm").unlink()
    outcomes = set()
    for pages in ROOM[:16]:
        disk.fill(leave_bytes=pages * PAGE_BYTES)
        outcomes.add(attempt(lambda: Vault.open(left, key).close()))
        disk.give_back()
        if True in outcomes:
            break
    with Vault.open(left, key) as vault:
        assert documents_in(vault) == DOCUMENTS + 2
        assert vault.verify().intact
    assert outcomes == {True, False}


def test_documents_go_in_again_when_somebody_made_room(
    disk: SmallDisk, furnished: tuple[Path, RecoveryKey]
) -> None:
    """Filled by the vault itself; everything that was acknowledged is there afterwards."""
    source, key = furnished
    folder = disk.folder / "vault"
    shutil.copytree(source, folder)
    disk.fill(leave_bytes=1 << 20)
    with Vault.open(folder, key) as vault:
        kept = []
        for number in count():
            if not attempt(lambda: put(vault, f"{number} " * 2000, f"/kept/{number}.md")):  # noqa: B023
                break
            kept.append(f"/kept/{number}.md")
        assert kept
        disk.give_back()
        put(vault, "there is room again", "/kept/again.md")
        found = {
            document.path
            for document in vault.documents.read_many(set(DocumentState))
            if isinstance(document, StoredDocument)
        }
        assert {*kept, "/kept/again.md"} <= found
        assert vault.verify().intact


# --------------------------------------------------------------------------- by injection


def test_a_database_that_cannot_grow_refuses_and_goes_on(vault: Vault) -> None:
    for number in range(DOCUMENTS):
        put(vault, f"text {number}", f"/{number}.md")
    database = vault._database.database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    for room in range(4):
        database.execute(f"PRAGMA max_page_count = {pages + room}")
        with pytest.raises(StorageFull, match="Free some space"):
            put(vault, "new " * 50_000, "/new.md")
        assert documents_in(vault) == DOCUMENTS
        assert vault.verify().intact
    database.execute(f"PRAGMA max_page_count = {pages + 1000}")
    put(vault, "new " * 50_000, "/new.md")
    assert vault.verify().intact


@pytest.mark.parametrize("step", ["a checkpoint", "samples", "an adapter", "a night ends"])
def test_a_sealed_file_that_has_no_room_leaves_the_old_one(
    step: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(vault)
    before = state_of(vault)

    with monkeypatch.context() as patched:
        patched.setattr(sealed_files, "create_private", on_a_full_disk)
        with pytest.raises(StorageFull):
            STEPS[step](vault)
    assert state_of(vault) == before
    STEPS[step](vault)
    assert vault.verify().intact


def test_a_slot_file_that_has_no_room_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "slots.json"
    replace_file(path, b"old")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "create_private", on_a_full_disk)
        with pytest.raises(StorageFull):
            replace_file(path, b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [
        ("slots.json", b"old")
    ]


def test_a_disk_that_became_read_only_is_named(vault: Vault) -> None:
    vault._database.database.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageFailing, match="read-only"):
        put(vault, "text")
    vault._database.database.execute("PRAGMA query_only = OFF")
    put(vault, "text")


def on_a_full_disk(path: Path) -> int:
    """A file that is made and takes nothing."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path.touch()
    return os.open("/dev/full", os.O_WRONLY)


# --------------------------------------------------------------------------- looking


def attempt(act: Callable[[], object]) -> bool:
    """Whether it was done; the only reason against it is the full disk."""
    try:
        act()
    except StorageFull:
        return False
    return True


def documents_in(vault: Vault) -> int:
    found = vault.documents.read_many(set(DocumentState))
    return sum(isinstance(one, StoredDocument) for one in found)


def state_of(vault: Vault) -> list[object]:
    """Everything that a step could change."""
    return [
        vault.documents.heads(),
        vault.sources.list(),
        vault.settings.get("exclude"),
        vault.shelf.list(),
        vault.checkpoints.names(),
        [vault.checkpoints.read(name) for name in vault.checkpoints.names()],
        vault.samples.names(),
        vault.ledger.nights(),
        vault.ledger.events(),
        [slot.kind for slot in vault.slots()],
    ]
