"""The door of the vault: making, opening, refusing, and joining changes."""

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.errors import (
    EmptyPassphrase,
    RecoveryKeyMistyped,
    RolledBack,
    SourceExists,
    StorageFull,
    UnknownDocument,
    VaultBusy,
    VaultDamaged,
    VaultExists,
    VaultMissing,
    VaultTooNew,
    WrongSecret,
)
from storage.keys import Passphrase, RecoveryKey
from storage.records import DocumentState, SourceSettings
from storage.vault import WITNESS_MISSING, Vault
from tests.storage.making import FAST, PASSPHRASE, publish, put, reopen, tampering

LEARNED = DocumentState.LEARNED


def test_the_printed_recovery_key_opens_the_vault(folder: Path) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        kept = put(vault, "Monday.").document_id or 0
    with Vault.open(folder, RecoveryKey.parse(printed)) as again:
        assert again.documents.read(kept).text == "Monday."


def test_a_mistyped_recovery_key_is_told_from_a_wrong_one(folder: Path) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.close()
    wrong_letter = "Q" if printed[7] != "Q" else "P"
    with pytest.raises(RecoveryKeyMistyped, match="checksum does not match"):
        RecoveryKey.parse(printed[:7] + wrong_letter + printed[8:])
    with pytest.raises(WrongSecret, match="recovery key"):
        Vault.open(folder, RecoveryKey.generate())


def test_a_wrong_passphrase_leaves_the_vault_as_it_is(vault: Vault, folder: Path) -> None:
    kept = put(vault, "Monday.").document_id or 0
    vault.close()
    with pytest.raises(WrongSecret, match="The passphrase does not open this vault"):
        Vault.open(folder, Passphrase(text="wrong"))
    with reopen(folder) as again:
        assert again.documents.read(kept).text == "Monday."


def test_there_is_no_vault_where_none_was_made(folder: Path) -> None:
    with pytest.raises(VaultMissing, match="nightloom init"):
        reopen(folder)


def test_an_empty_passphrase_makes_no_vault(folder: Path) -> None:
    with pytest.raises(EmptyPassphrase):
        Vault.create(folder, passphrase="", argon2=FAST)
    assert not folder.exists()


def test_a_folder_with_something_in_it_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "letters.txt").write_text("mine")
    with pytest.raises(VaultExists):
        Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    assert [path.name for path in folder.iterdir()] == ["letters.txt"]


def test_an_empty_folder_becomes_the_vault(folder: Path) -> None:
    folder.mkdir()
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.close()
    with reopen(folder) as vault:
        assert vault.verify().intact


def test_a_vault_is_not_made_twice(vault: Vault, folder: Path) -> None:
    vault.close()
    with pytest.raises(VaultExists):
        Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)


def test_only_one_process_has_the_vault_open(vault: Vault, folder: Path) -> None:
    with pytest.raises(VaultBusy):
        reopen(folder)
    code = (
        "import sys; from pathlib import Path; from storage.vault import Vault;"
        "from storage.keys import Passphrase; from storage.errors import VaultBusy\n"
        "try: Vault.open(Path(sys.argv[1]), Passphrase(text='x'))\n"
        "except VaultBusy: sys.exit(7)"
    )
    process = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert process.returncode == 7
    vault.close()
    reopen(folder).close()


def test_a_refused_opening_leaves_no_lock(vault: Vault, folder: Path) -> None:
    vault.close()
    with pytest.raises(WrongSecret):
        Vault.open(folder, Passphrase(text="wrong"))
    reopen(folder).close()


def test_only_the_user_can_read_the_vaults_files(vault: Vault, folder: Path) -> None:
    put(vault, "Monday.")
    publish(vault, b"weights")
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path.name


def test_the_slots_hold_no_secret(folder: Path) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    root = vault._database.keys.root.raw
    vault.close()
    written = (folder / "slots.json").read_bytes()
    for secret in (PASSPHRASE.encode(), printed.encode(), root, root.hex().encode()):
        assert secret not in written
    assert repr(root) not in repr(vault._database.keys)


# --------------------------------------------------------------------------- other formats, damage


def test_a_database_from_a_newer_version_asks_for_an_upgrade(vault: Vault, folder: Path) -> None:
    vault.close()
    with tampering(folder) as database:
        database.execute("PRAGMA user_version = 2")
    before = (folder / "vault.db").read_bytes()
    with pytest.raises(VaultTooNew, match=r"has format 2 .* Upgrade nightloom"):
        reopen(folder)
    assert (folder / "vault.db").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("slots.json", "slots.json is missing"), ("vault.db", "vault.db is missing")],
)
def test_a_missing_file_is_named(vault: Vault, folder: Path, name: str, sentence: str) -> None:
    vault.close()
    (folder / name).unlink()
    with pytest.raises(VaultDamaged, match=sentence):
        reopen(folder)


def test_a_file_that_is_no_database_is_refused(vault: Vault, folder: Path) -> None:
    vault.close()
    (folder / "vault.db").write_bytes(b"not a database, but long enough to be read" * 100)
    with pytest.raises(VaultDamaged, match=r"vault\.db"):
        reopen(folder)


def test_a_truncated_database_is_refused_or_reported(vault: Vault, folder: Path) -> None:
    for number in range(50):
        put(vault, f"text {number} " * 100, f"/{number}.md")
    vault.close()
    path = folder / "vault.db"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(VaultDamaged), reopen(folder) as again:
        again.verify()


def test_the_database_of_another_vault_is_refused(
    vault: Vault, folder: Path, tmp_path: Path
) -> None:
    other, _ = Vault.create(tmp_path / "other", passphrase=PASSPHRASE, argon2=FAST)
    other.close()
    vault.close()
    shutil.copy(tmp_path / "other" / "vault.db", folder / "vault.db")
    with pytest.raises(VaultDamaged, match=r"does not belong to slots\.json"):
        reopen(folder)


# --------------------------------------------------------------------------- manifest and witness


def mismatches(folder: Path) -> list[tuple[str, int, int]]:
    with reopen(folder) as vault:
        report = vault.verify()
    assert not report.intact
    return [(one.table, one.expected_rows, one.found_rows) for one in report.tables]


def test_a_removed_document_is_noticed(vault: Vault, folder: Path) -> None:
    for number in range(3):
        put(vault, f"text {number}", f"/{number}.md")
    vault.close()
    with tampering(folder) as database:
        database.execute("DELETE FROM documents WHERE id = 2")
    assert mismatches(folder) == [("documents", 3, 2)]


def test_a_text_under_another_documents_number_does_not_open(vault: Vault, folder: Path) -> None:
    for number in range(3):
        put(vault, f"text {number}", f"/{number}.md")
    vault.close()
    with tampering(folder) as database:
        database.execute(
            "UPDATE document_texts SET sealed = (SELECT sealed FROM document_texts WHERE id = 1) "
            "WHERE id = 2"
        )
    with reopen(folder) as again:
        assert [row.row_id for row in again.verify().damaged_rows] == [2]


def test_two_documents_with_exchanged_texts_and_keys_do_not_open(
    vault: Vault, folder: Path
) -> None:
    for number in range(2):
        put(vault, f"text {number}", f"/{number}.md")
    vault.close()
    with tampering(folder) as database:
        for table in ("data_keys", "document_texts"):
            database.execute(f"UPDATE {table} SET id = 3 - id + 100")
            database.execute(f"UPDATE {table} SET id = id - 100")
    with reopen(folder) as again:
        assert [row.row_id for row in again.verify().damaged_rows] == [1, 2]


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE documents SET state = 'learned' WHERE id = 1", "documents"),
        ("UPDATE documents SET day = '2020-01-01' WHERE id = 1", "documents"),
        ("UPDATE items SET source_hash = zeroblob(16) WHERE id = 1", "items"),
        ("UPDATE adapters SET pinned = 1", "adapters"),
        ("UPDATE pointers SET adapter = NULL", "pointers"),
        ("DELETE FROM pointers", "pointers"),
        ("INSERT INTO tombstones (id, hash, day) VALUES (9, zeroblob(16), 'x')", "tombstones"),
        ("DELETE FROM nights", "nights"),
        ("UPDATE sources SET name_hash = zeroblob(16)", "sources"),
    ],
)
def test_a_change_in_clear_columns_is_noticed(
    vault: Vault, folder: Path, change: str, table: str
) -> None:
    put(vault, "text")
    publish(vault, b"weights")
    vault.ledger.begin_night({})
    vault.sources.add(SourceSettings(name="notes", kind="folder", path="/notes"))
    vault.close()
    with tampering(folder) as database:
        database.execute(change)
    assert [found[0] for found in mismatches(folder)] == [table]


def test_a_removal_stays_noticed_after_further_changes(vault: Vault, folder: Path) -> None:
    put(vault, "one", "/1.md")
    put(vault, "two", "/2.md")
    vault.close()
    with tampering(folder) as database:
        database.execute("DELETE FROM documents WHERE id = 1")
    with reopen(folder) as again:
        put(again, "three", "/3.md")
    assert mismatches(folder) == [("documents", 3, 2)]


def test_a_damaged_manifest_is_reported_and_never_made_good_silently(
    vault: Vault, folder: Path
) -> None:
    kept = put(vault, "one", "/1.md").document_id or 0
    vault.close()
    with tampering(folder) as database:
        database.execute("UPDATE manifest SET sealed = zeroblob(400)")
    with reopen(folder) as again:
        assert again.documents.read(kept).text == "one"
        added = put(again, "two", "/2.md").document_id
    assert added == kept + 1
    with reopen(folder) as again:
        report = again.verify()
    assert not report.manifest_opens
    assert not report.intact


def test_an_older_copy_of_the_database_is_noticed(vault: Vault, folder: Path) -> None:
    put(vault, "one", "/1.md")
    vault.close()
    shutil.copy(folder / "vault.db", folder / "older")
    with reopen(folder) as again:
        put(again, "two", "/2.md")
    (folder / "older").rename(folder / "vault.db")
    with pytest.raises(RolledBack, match=r"generation 2, seen 3.*remove the file `witness`"):
        reopen(folder)


def test_an_older_copy_put_back_on_purpose_is_accepted_and_recorded(
    vault: Vault, folder: Path
) -> None:
    put(vault, "one", "/1.md")
    vault.close()
    shutil.copy(folder / "vault.db", folder / "older")
    with reopen(folder) as again:
        put(again, "two", "/2.md")
    (folder / "older").rename(folder / "vault.db")
    (folder / "witness").unlink()
    with reopen(folder) as again:
        assert again.opening.witness_missing
        assert [event["kind"] for event in again.ledger.events()] == [WITNESS_MISSING]
        assert len(again.documents.heads()) == 1
    with reopen(folder) as again:
        assert not again.opening.witness_missing


def test_a_witness_that_lags_behind_is_no_roll_back(vault: Vault, folder: Path) -> None:
    put(vault, "one", "/1.md")
    older = (folder / "witness").read_bytes()
    put(vault, "two", "/2.md")
    vault.close()
    (folder / "witness").write_bytes(older)
    with reopen(folder) as again:
        assert len(again.documents.heads()) == 2
        assert not again.opening.witness_missing


# --------------------------------------------------------------------------- transactions


def test_changes_in_one_transaction_are_one_generation(vault: Vault) -> None:
    before = vault.verify().generation
    with vault.transaction():
        put(vault, "one", "/1.md")
        with vault.transaction():
            put(vault, "two", "/2.md")
    assert vault.verify().generation == before + 1


def test_an_inner_part_can_fail_alone(vault: Vault) -> None:
    with vault.transaction():
        put(vault, "one", "/1.md")
        with pytest.raises(UnknownDocument), vault.transaction():
            put_and_fail(vault)
        put(vault, "three", "/3.md")
    assert [vault.documents.read(head.document_id).text for head in vault.documents.heads()] == [
        "one",
        "three",
    ]
    assert vault.verify().intact


def put_and_fail(vault: Vault) -> None:
    put(vault, "two", "/2.md")
    vault.documents.set_states({999: LEARNED})


def test_a_look_changes_no_generation(vault: Vault) -> None:
    put(vault, "one")
    before = vault.verify().generation
    vault.documents.heads()
    put(vault, "one")
    assert vault.verify().generation == before


def test_the_vault_can_be_used_from_several_threads(vault: Vault) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            put(vault, f"text {thread} {number}", f"/{thread}/{number}.md")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vault.documents.heads()) == 80
    assert vault.verify().intact


def test_a_full_disk_is_told_and_the_vault_goes_on(vault: Vault) -> None:
    put(vault, "one", "/1.md")
    pages = vault._database.fetch("PRAGMA page_count")[0][0]
    vault._database.fetch(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageFull, match="The disk is full; nothing of this change was kept"):
        put(vault, "large " * 20_000, "/2.md")
    vault._database.fetch("PRAGMA max_page_count = 1000000")
    put(vault, "three", "/3.md")
    assert [head.document_id for head in vault.documents.heads()] == [1, 2]
    assert vault.verify().intact


def test_what_was_deleted_is_gone_from_the_log(vault: Vault, folder: Path) -> None:
    vault.sources.add(SourceSettings(name="notes", kind="folder", path="/notes"))
    [(wrapped, sealed)] = vault._database.fetch(
        "SELECT k.wrapped, s.sealed FROM sources s JOIN data_keys k ON k.id = s.key"
    )
    vault.sources.remove("notes")
    assert (folder / "vault.db-wal").stat().st_size == 0
    left = (folder / "vault.db").read_bytes()
    assert wrapped not in left
    assert sealed[20:] not in left


def test_a_source_name_is_taken_once(vault: Vault) -> None:
    settings = SourceSettings(name="notes", kind="folder", path="/notes", exclude=("*.bak",))
    vault.sources.add(settings)
    with pytest.raises(SourceExists):
        vault.sources.add(settings)
    assert vault.sources.list() == [settings]
    assert vault.sources.get("notes") == settings
