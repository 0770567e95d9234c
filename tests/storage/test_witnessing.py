"""What the outsiders say of an open vault."""

from pathlib import Path

from storage.vault import Vault
from storage.vault_layout import WITNESS
from storage.witness import encode_record
from storage.witnessing import Outsider, Statement, statements


def test_the_file_beside_the_database_agrees_after_every_change(vault: Vault) -> None:
    for number in range(3):
        vault.ledger.append_event("night", {"night": number})
        assert statements(vault) == [Statement(outsider=Outsider.FILE, agrees=True)]


def test_a_file_that_saw_more_than_there_is_does_not_agree(vault: Vault, folder: Path) -> None:
    ahead = vault._database.manifest.generation + 1
    record = encode_record(vault._database._witness._key, ahead)
    (folder / WITNESS).write_bytes(2 * record)
    assert statements(vault) == [Statement(outsider=Outsider.FILE, agrees=False)]


def test_a_file_that_somebody_made_up_says_nothing(vault: Vault, folder: Path) -> None:
    (folder / WITNESS).write_bytes(bytes(128))
    assert statements(vault) == [Statement(outsider=Outsider.FILE, agrees=None)]
