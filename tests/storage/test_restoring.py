"""A backup becomes a vault again, whole and verified, or nothing does."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.backup_format import encode_entry, encode_head
from storage.errors import (
    BackupDamaged,
    BackupError,
    BackupNotWhole,
    BackupTooNew,
    NotABackup,
    StorageError,
    VaultBusy,
    VaultDamaged,
    VaultExists,
    WrongBackupKey,
)
from storage.forgetting import Scope
from storage.keys import RecoveryKey
from storage.records import DocumentState, StoredDocument
from storage.restoring import restore
from storage.slots import read_slots
from storage.vault import Vault
from storage.vault_layout import SLOTS
from tests.storage.backing_up import (
    CANARY,
    backed_up,
    forged,
    furnish,
    make_vault,
    opened,
    restored,
)
from tests.storage.making import flipped, publish, put, reopen, tampering
from tests.storage.nights import NIGHTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(tmp_path: Path) -> tuple[bytes, RecoveryKey]:
    """A backup of a furnished vault, and what opens it."""
    vault, key = make_vault(tmp_path / "vault")
    with vault:
        furnish(vault)
        return backed_up(vault), key


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Where there is no vault yet; its folder is not there either."""
    return tmp_path / "machine" / "vault"


def everything_in(vault: Vault) -> list[object]:
    return [
        list(vault.documents.read_many(set(DocumentState))),
        vault.documents.heads(),
        vault.sources.list(),
        vault.shelf.list(),
        [vault.shelf.weights(adapter.sha256) for adapter in vault.shelf.list()],
        {name: vault.checkpoints.read(name) for name in vault.checkpoints.names()},
        {name: vault.samples.read(name) for name in vault.samples.names()},
        vault.ledger.nights(),
    ]


def test_everything_comes_back_and_the_passphrase_opens_it(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    told = restored(data, elsewhere, key)
    with reopen(tmp_path / "vault") as old, reopen(elsewhere) as new:
        assert everything_in(new) == everything_in(old)
        assert new.verify().intact
        assert not new.opening.witness_missing
        before, after = old.ledger.events(), new.ledger.events()
        assert [event["kind"] for event in after] == [*(e["kind"] for e in before), "restored"]
        assert after[-1]["facts"]["generation"] == told.generation
        put(new, "and it goes on", "/new.md")
        assert new.verify().intact
    assert (told.documents, told.adapters, told.sources) == (20, 2, 1)
    assert (told.bases, told.slots, told.damaged) == (("base-1",), ("passphrase", "recovery"), 0)


def test_all_that_is_restored_is_the_users_alone(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    restored(data, elsewhere, key)
    for path in (elsewhere, *elsewhere.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path.name
    assert [path.name for path in elsewhere.parent.iterdir()] == ["vault"]


def test_an_empty_folder_is_taken_and_one_with_something_in_it_is_not(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    elsewhere.mkdir(parents=True)
    restored(data, elsewhere, key)
    with pytest.raises(VaultExists):
        restored(data, elsewhere, key)
    with reopen(elsewhere) as vault:
        assert vault.documents.heads()


def test_an_older_state_is_accepted_where_a_newer_one_was(
    made: tuple[bytes, RecoveryKey], tmp_path: Path
) -> None:
    data, key = made
    with reopen(tmp_path / "vault") as vault:
        for number in range(5):
            put(vault, f"written after the backup {number}", f"/later/{number}.md")
    (tmp_path / "vault").rename(tmp_path / "put aside")
    restored(data, tmp_path / "vault", key)
    with reopen(tmp_path / "vault") as vault:
        assert vault.ledger.events()[-1]["kind"] == "restored"
        assert len(list(vault.documents.read_many(set(DocumentState)))) == 21


def test_a_backup_of_a_restored_vault_restores(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    restored(data, elsewhere, key)
    with reopen(elsewhere) as vault:
        again = backed_up(vault)
    assert restored(again, tmp_path / "third", key).documents == 20


# --------------------------------------------------------------------------- what is refused


def assert_nothing_was_restored(folder: Path) -> None:
    assert not folder.exists()
    assert not folder.parent.exists() or list(folder.parent.iterdir()) == []


def test_another_recovery_key_is_told_from_damage(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    with pytest.raises(WrongBackupKey, match="takes the one that the vault had"):
        restored(made[0], elsewhere, RecoveryKey.generate())
    assert_nothing_was_restored(elsewhere)


def test_a_cut_backup_is_refused_wherever_it_was_cut(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    edges = [0, 1, 3, 4, 100, 168, 183, 184, len(data) - 1, len(data) - 16, len(data) - 17]
    for length in [*edges, *range(200, len(data), len(data) // 25)]:
        with pytest.raises((BackupDamaged, NotABackup)):
            restored(data[:length], elsewhere, key)
        assert_nothing_was_restored(elsewhere)


def test_a_backup_with_something_after_its_end_is_refused(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    with pytest.raises(BackupDamaged):
        restored(data + b"\0", elsewhere, key)
    assert_nothing_was_restored(elsewhere)


def test_one_flipped_bit_anywhere_is_noticed(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    header = [8 * byte + byte % 8 for byte in range(184)]
    for bit in [*header, *range(8 * 190, 8 * len(data), 8 * len(data) // 25 + 1)]:
        with pytest.raises((BackupDamaged, NotABackup, BackupTooNew)):
            restored(flipped(data, bit), elsewhere, key)
        assert_nothing_was_restored(elsewhere)


def test_the_rest_of_another_backup_does_not_fit(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    with reopen(tmp_path / "vault") as vault:
        other = backed_up(vault)
    with pytest.raises(BackupDamaged):
        restored(data[:168] + other[168:], elsewhere, key)
    assert_nothing_was_restored(elsewhere)


def test_a_newer_backup_asks_for_an_upgrade(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    with pytest.raises(BackupTooNew, match="format 2"):
        restored(data[:4] + b"\x02" + data[5:], elsewhere, key)
    assert_nothing_was_restored(elsewhere)


@pytest.mark.parametrize("data", [b"", b"NL", b"%PDF-1.7 and so on" * 100])
def test_another_file_is_no_backup(data: bytes, elsewhere: Path) -> None:
    with pytest.raises(NotABackup):
        restored(data, elsewhere, RecoveryKey.generate())
    assert_nothing_was_restored(elsewhere)


def test_a_vault_that_was_damaged_before_is_restored_only_on_purpose(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    _, key = made
    with tampering(tmp_path / "vault") as database:
        database.execute("UPDATE document_texts SET sealed = zeroblob(300) WHERE id = 3")
    file = next((tmp_path / "vault" / "files" / "samples").iterdir())
    file.unlink()
    with reopen(tmp_path / "vault") as vault:
        data = backed_up(vault)
    with pytest.raises(BackupNotWhole, match="1 rows and 1 files"):
        restored(data, elsewhere, key)
    assert_nothing_was_restored(elsewhere)
    told = restore(io.BytesIO(data), elsewhere, key, even_if_damaged=True)
    assert told.damaged == 2
    with reopen(elsewhere) as vault:
        found = list(vault.documents.read_many(set(DocumentState)))
        assert sum(isinstance(one, StoredDocument) for one in found) == 20
        assert vault.ledger.events()[-1]["facts"]["damaged"] == 2


# --------------------------------------------------------------------------- hostile backups


def entries_of(data: bytes, key: RecoveryKey) -> tuple[bytes, bytes]:
    """The first entry of a backup and the slots after it, as they are."""
    inside = opened(data, key)
    length = 0
    for _ in range(2):
        head = int.from_bytes(inside[length : length + 4], "big")
        told = inside[length + 4 : length + 4 + head]
        begun, length = (
            length,
            length + 4 + head + int(told.split(b'"bytes":')[1].split(b",")[0].rstrip(b"}")),
        )
    return inside[:begun], inside[begun:length]


ROW = b"i" + bytes(7) + b"\1"


@pytest.mark.parametrize(
    "entry",
    [
        encode_entry("file", b"x", purpose="../escaped", disk_name="0" * 32),
        encode_entry("file", b"x", purpose="samples", disk_name="../../escaped"),
        encode_entry("file", b"x", purpose="samples", disk_name=7),
        encode_entry("file", b"x", purpose="samples", disk_name="0" * 32) * 2,
        encode_entry("rows", ROW, table="sqlite_schema", columns=["id"]),
        encode_entry("rows", ROW, table="items; DROP TABLE items", columns=["id"]),
        encode_entry("rows", ROW, table="items", columns=["id) SELECT 1; --"]),
        encode_entry("rows", ROW, table="items", columns=[["id"]]),
        encode_entry("rows", ROW, table="items", columns=[]),
        encode_entry("rows", ROW, table="items", columns=["id"]),  # NOT NULL elsewhere
        encode_head("rows", 1 << 40, table="items", columns=["id"]),
        encode_head("file", 1 << 40, purpose="samples", disk_name="0" * 32),
        encode_entry("about"),
        encode_entry("end", b"more"),
        b"\xff\xff\xff\xff",
        b"\0\0\0\2[]",
        b"\0\0\0\2{}",
        encode_entry("end") + b"more",
    ],
)
def test_a_forged_backup_restores_nothing(
    entry: bytes, made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    about, slots = entries_of(data, key)
    with pytest.raises(StorageError):
        restored(forged(data, [about, slots, entry]), elsewhere, key)
    assert_nothing_was_restored(elsewhere)
    assert not list(tmp_path.rglob("escaped*"))


def test_slots_of_somebody_else_are_not_taken(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    inside = opened(data, key)
    changed = inside.replace(b'"time_cost": 1', b'"time_cost": 2', 1)
    assert changed != inside
    with pytest.raises(VaultDamaged):
        restored(forged(data, [changed]), elsewhere, key)
    assert_nothing_was_restored(elsewhere)


# --------------------------------------------------------------------------- ends in the middle


class Breaking(io.BytesIO):
    """A medium that is pulled out half way."""

    def read(self, count: int | None = -1, /) -> bytes:
        if self.tell() > 100_000:
            raise OSError(5, "Input/output error")
        return super().read(count)


def test_a_medium_that_fails_leaves_nothing(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    with pytest.raises(OSError, match="Input/output"):
        restore(Breaking(data), elsewhere, key)
    assert_nothing_was_restored(elsewhere)


@pytest.mark.parametrize("moment", ["restore:filled", "restore:before-rename"])
def test_who_interrupts_it_finds_nothing(
    moment: str, made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made

    def interrupt(now: str) -> None:
        if now == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(io.BytesIO(data), elsewhere, key, observe=interrupt)
    assert_nothing_was_restored(elsewhere)


@pytest.mark.parametrize("moment", ["restore:filled", "restore:before-rename"])
def test_a_kill_leaves_no_vault_and_the_next_restore_takes_its_place(
    moment: str, made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    (tmp_path / "file").write_bytes(data)
    words = [str(tmp_path / "file"), str(elsewhere), key.printed(), moment]
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.killed_restoring", *words], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not elsewhere.exists()
    (left,) = elsewhere.parent.iterdir()
    (left / "files" / "junk").write_bytes(b"of another day")
    restored(data, elsewhere, key)
    assert list(elsewhere.parent.iterdir()) == [elsewhere]
    assert not list(elsewhere.rglob("junk"))
    with reopen(elsewhere) as vault:
        assert vault.verify().intact


def test_two_restores_into_one_place_do_not_meet(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made
    refused: list[str] = []

    def second(moment: str) -> None:
        if moment == "restore:filled":
            with pytest.raises(VaultBusy):
                restored(data, elsewhere, key)
            refused.append(moment)

    restore(io.BytesIO(data), elsewhere, key, observe=second)
    assert refused
    with reopen(elsewhere) as vault:
        assert vault.verify().intact


def test_nothing_lies_in_clear_while_it_is_restored(
    made: tuple[bytes, RecoveryKey], elsewhere: Path
) -> None:
    data, key = made

    def look(moment: str) -> None:
        for path in elsewhere.parent.rglob("*"):
            assert not path.is_file() or CANARY.encode() not in path.read_bytes()

    restore(io.BytesIO(data), elsewhere, key, observe=look)
    look("after")


def test_errors_hold_no_key_and_no_path(made: tuple[bytes, RecoveryKey], elsewhere: Path) -> None:
    data, key = made
    with pytest.raises(BackupError) as failure:
        restored(data[:-1], elsewhere, key)
    for secret in (key.printed(), os.fspath(elsewhere)):
        assert secret not in f"{failure.value!r}{failure.value}"


def test_the_slot_file_is_the_reduced_one(
    made: tuple[bytes, RecoveryKey], tmp_path: Path, elsewhere: Path
) -> None:
    data, key = made
    restored(data, elsewhere, key)
    old, new = read_slots(tmp_path / "vault" / SLOTS), read_slots(elsewhere / SLOTS)
    assert new.vault_id == old.vault_id
    assert [slot.kind for slot in new.slots] == ["passphrase", "recovery"]


def test_an_adapter_without_weights_is_not_counted(tmp_path: Path, elsewhere: Path) -> None:
    vault, key = make_vault(tmp_path / "vault")
    with vault:
        put(vault, "what an adapter learned")
        publish(vault, b"an adapter that saw it")
        vault.forgetting.forget(vault.forgetting.all_items(), scope=Scope.EVERYTHING, nights=NIGHTS)
        with vault.backup() as backup:
            counted = backup.facts.adapters
            data = b"".join(backup.chunks())

    assert counted == 0
    found = restored(data, elsewhere, key)
    assert (found.adapters, found.bases) == (0, ())
