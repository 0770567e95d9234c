"""What README.md says that the vault does not stop is so: a threat model that flatters misleads."""

import shutil
from pathlib import Path

import pytest

from storage.errors import NoSuchSlot, RolledBack, VaultDamaged
from storage.keys import Passphrase
from storage.records import DocumentState
from storage.vault import Vault
from storage.vault_layout import SLOTS, WITNESS
from tests.storage.backing_up import backed_up, make_vault, restored
from tests.storage.making import PASSPHRASE, put, reopen


def texts(vault: Vault) -> list[str]:
    return [one.text for one in vault.documents.read_many(set(DocumentState))]  # type: ignore[union-attr]


def test_an_older_slot_file_brings_a_removed_slot_back_until_the_next_rotation(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "vault"
    vault, key = make_vault(folder)
    older = (folder / SLOTS).read_bytes()
    with vault:
        put(vault, "written later")
        vault.remove_slot("passphrase", keepers=())
    with pytest.raises(NoSuchSlot):
        reopen(folder)
    current = (folder / SLOTS).read_bytes()
    (folder / SLOTS).write_bytes(older)
    with reopen(folder) as vault:  # it opens again: stated
        assert texts(vault) == ["written later"]
    (folder / SLOTS).write_bytes(current)
    with Vault.open(folder, key) as vault:
        vault.rotate()
    (folder / SLOTS).write_bytes(older)
    with pytest.raises(VaultDamaged):
        reopen(folder)


def test_an_older_copy_of_the_whole_folder_passes_where_no_keyring_has_seen_a_later_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "vault"
    vault, _ = make_vault(folder)
    with vault:
        put(vault, "the older state")
    shutil.copytree(folder, tmp_path / "copy")
    with reopen(folder) as vault:
        put(vault, "the newer state", "/newer.md")
    newer = shutil.copytree(folder, tmp_path / "newer")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    with reopen(folder) as vault:
        assert texts(vault) == ["the older state"]
        assert vault.verify().intact
    # The database alone is noticed, and taken after a person's word, which is recorded.
    shutil.copy(tmp_path / "copy" / "vault.db", newer / "vault.db")
    with pytest.raises(RolledBack):
        reopen(newer)
    (newer / WITNESS).unlink()
    with reopen(newer) as vault:
        assert vault.ledger.events()[-1]["kind"] == "witness_missing"


def test_a_copy_holds_what_was_forgotten_since(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    vault, key = make_vault(folder)
    with vault:
        forgotten = put(vault, "to be forgotten").document_id
        assert forgotten is not None
        data = backed_up(vault)
        vault.documents.delete([forgotten])
        vault.rotate()
        assert texts(vault) == []
    restored(data, tmp_path / "back", key)
    with Vault.open(tmp_path / "back", Passphrase(text=PASSPHRASE)) as vault:
        assert texts(vault) == ["to be forgotten"]


def test_a_new_recovery_key_does_not_close_an_old_backup(tmp_path: Path) -> None:
    vault, key = make_vault(tmp_path / "vault")
    with vault:
        put(vault, "kept")
        data = backed_up(vault)
        vault.remove_slot("recovery", keepers=())
        vault.add_recovery_slot()
        vault.rotate()
    assert restored(data, tmp_path / "back", key).documents == 1
