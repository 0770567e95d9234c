"""A backup is one state of a vault in use, sealed so that only the recovery key opens it."""

import dataclasses
import io
import threading
import tracemalloc
from pathlib import Path

import pytest

from storage.backup import portable_slots
from storage.backup_format import Header, encode_cells, encode_entry, unseal_file_key
from storage.backup_format import decode_rows as rows_of
from storage.errors import BackupDamaged, BackupInterrupted, BackupNeedsRecoveryKey
from storage.keys import RecoveryKey, RootKey, recovery_key_pair
from storage.slots import RECOVERY, Slot, SlotFile, authenticated, read_slots, write_slots
from storage.vault import Vault
from storage.vault_layout import SLOTS
from tests.storage.backing_up import CANARY, backed_up, furnish, make_vault, opened, restored
from tests.storage.making import PASSPHRASE, put

# Made once: the header of a backup of vault 00..0f whose recovery key's entropy is 00..14.
GOLDEN_VAULT = bytes(range(16))
GOLDEN_KEY = RecoveryKey(entropy=bytes(range(21)))
GOLDEN_FILE_KEY = bytes(range(100, 132))
GOLDEN_HEADER = bytes.fromhex(
    "4e4c424b01000000000102030405060708090a0b0c0d0e0f44995888c4ef850a82feb3d871f9bef6f1753a8c"
    "1ee4c537ecee7adc48e19d4175351a106d4a3e8c490f1306f1595156a9f5b0f7572288bf22efbaf66d38260a"
    "283fa69936b31799652f9c9c384f6e619ff4898560d2464ed534bb5dbc51fc903b030513d8dd0482b70bec5b"
    "4821f75562a45b5dc3dc3ee3001302e837d8e0d28bc6457bba2227fd3bcde3d699c7a9f0"
)


def test_the_header_has_the_documented_bytes() -> None:
    header = Header.read(io.BytesIO(GOLDEN_HEADER))
    private = recovery_key_pair(GOLDEN_KEY, vault_id=GOLDEN_VAULT)

    assert GOLDEN_HEADER[:8] == b"NLBK\x01\0\0\0"
    assert header.vault_id == GOLDEN_HEADER[8:24] == GOLDEN_VAULT
    assert header.public == GOLDEN_HEADER[24:56] == private.public_key().public_bytes_raw()
    assert unseal_file_key(header, private) == GOLDEN_FILE_KEY
    assert header.encode() == GOLDEN_HEADER


def test_entries_and_rows_have_the_documented_bytes() -> None:
    entry = encode_entry("file", b"abc", purpose="samples")
    assert entry == b'\0\0\0\x2d{"kind":"file","bytes":3,"purpose":"samples"}abc'
    row = (7, "ä", b"\0\1", None)
    encoded = b"i\0\0\0\0\0\0\0\x07s\0\0\0\x02\xc3\xa4b\0\0\0\x02\0\1n"
    assert encode_cells(row) == encoded
    assert list(rows_of(encoded * 2, 4)) == [row, row]


@pytest.mark.parametrize("bad", [b"x", b"i\0", b"s\0\0\0\x05abc", b"n" * 3, b"s\0\0\0\x01\xff"])
def test_rows_that_cannot_be_read_are_refused(bad: bytes) -> None:
    with pytest.raises(BackupDamaged):
        list(rows_of(bad, 2))


def test_nothing_of_a_vault_lies_in_clear_in_its_backup(tmp_path: Path) -> None:
    vault, key = make_vault(tmp_path / "vault")
    with vault:
        furnish(vault)
        data = backed_up(vault)
    told = (CANARY, "zennor", "moth-notes", PASSPHRASE, "adapter", "samples", "slots", "argon2")
    for word in told:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert word.encode(encoding) not in data
    inside = opened(data, key)
    assert b"argon2" in inside  # the search would find what is there
    assert CANARY.encode() not in inside  # and under this seal each row has its own
    assert key.entropy not in data + inside


def test_a_backup_is_of_one_moment_while_the_vault_goes_on(tmp_path: Path) -> None:
    vault, key = make_vault(tmp_path / "vault")
    with vault:
        furnish(vault)
        with vault.backup() as backup:
            chunks = backup.chunks()
            taken = [next(chunks), next(chunks)]
            vault.checkpoints.write("night-1", [b"a later checkpoint"])
            vault.checkpoints.delete("night-1")
            for number in range(100):
                put(vault, f"text after the backup began {number} " * 100, f"/later/{number}.md")
            taken += chunks
        assert vault.verify().intact
    assert (
        restored(b"".join(taken), tmp_path / "new", key).documents == backup.facts.documents == 20
    )
    with Vault.open(tmp_path / "new", key) as again:
        assert again.checkpoints.read("night-1") == CANARY.encode() * 3000


def test_many_threads_write_while_a_backup_is_made(tmp_path: Path) -> None:
    vault, key = make_vault(tmp_path / "vault")
    with vault:
        furnish(vault)
        stop = threading.Event()

        def write(name: str) -> None:
            number = 0
            while not stop.is_set():
                put(vault, f"{name} {number}", f"/{name}/{number}.md")
                number += 1

        threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        try:
            made = [backed_up(vault) for _ in range(3)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    for number, data in enumerate(made):
        assert restored(data, tmp_path / f"new-{number}", key).damaged == 0


def test_what_was_deleted_meanwhile_leaves_the_log_when_the_backup_ends(tmp_path: Path) -> None:
    vault, _ = make_vault(tmp_path / "vault")
    log = tmp_path / "vault" / "vault.db-wal"
    with vault:
        furnish(vault)
        with vault.backup() as backup:
            chunks = backup.chunks()
            next(chunks)
            vault.checkpoints.delete("night-1")  # does not wait for the backup either
            assert log.stat().st_size > 0
        assert log.stat().st_size == 0


def test_the_log_that_could_not_be_emptied_is_emptied_after_a_change_that_fails(
    tmp_path: Path,
) -> None:
    vault, _ = make_vault(tmp_path / "vault")
    log = tmp_path / "vault" / "vault.db-wal"
    with vault:
        furnish(vault)
        with vault.backup():
            vault.checkpoints.delete("night-1")
            with pytest.raises(KeyError), vault.transaction():
                raise KeyError
        assert log.stat().st_size == 0


def test_memory_stays_flat_however_large_the_files_are(tmp_path: Path) -> None:
    vault, _ = make_vault(tmp_path / "vault")
    with vault:
        vault.checkpoints.write("night-1", [bytes(1 << 20)] * 40)
        with vault.backup() as backup:
            tracemalloc.start()
            try:
                size = sum(map(len, backup.chunks()))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert size > 40 << 20
    assert peak < 6 << 20


def test_its_key_seals_one_stream_only(tmp_path: Path) -> None:
    vault, _ = make_vault(tmp_path / "vault")
    with vault, vault.backup() as backup:
        list(backup.chunks())
        with pytest.raises(RuntimeError):
            next(backup.chunks())


def test_a_vault_that_is_closed_ends_its_backup(tmp_path: Path) -> None:
    vault, _ = make_vault(tmp_path / "vault")
    with vault:
        furnish(vault)
        backup = vault.backup()
        chunks = backup.chunks()
        next(chunks)
    with pytest.raises(BackupInterrupted, match="Unlock it and back up again"):
        list(chunks)
    backup.close()


def test_a_vault_without_a_recovery_key_says_what_to_do(tmp_path: Path) -> None:
    vault, _ = make_vault(tmp_path / "vault")
    path = tmp_path / "vault" / SLOTS
    with vault:
        slots = read_slots(path)
        without = tuple(slot for slot in slots.slots if slot.kind != RECOVERY)
        write_slots(path, dataclasses.replace(slots, slots=without))
        with pytest.raises(BackupNeedsRecoveryKey, match="nightloom key add recovery"):
            vault.backup()
        put(vault, "the vault goes on")


def test_slots_that_open_on_one_machine_only_stay_there() -> None:
    root = RootKey.generate(3)
    slots = tuple(
        Slot(kind=kind, public=bytes(32), roots={2: b"old", 3: b"sealed"}, facts={"of": kind})
        for kind in ("passphrase", "keyring", "recovery", "systemd-creds", "of-the-future")
    )
    kept = portable_slots(SlotFile(vault_id=bytes(16), slots=slots, macs={2: b"", 3: b""}), root)
    assert [slot.kind for slot in kept.slots] == ["passphrase", "recovery"]
    assert {number for slot in kept.slots for number in slot.roots} == {3}
    assert kept == authenticated(bytes(16), kept.slots, {3: root})
