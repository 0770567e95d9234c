"""A moved file keeps its item, and with it what was learned of it."""

from pathlib import Path

from storage.document_rows import PutOutcome
from storage.forgetting import Scope
from storage.known_files import FileStamp
from storage.moving import Move
from storage.records import DocumentState
from storage.vault import Vault
from tests.storage.making import lasting_heads, put, reopen, written
from tests.storage.nights import NIGHTS

OLD, NEW = "/home/ada/diary.md", "/home/ada/2026/diary.md"
STAMP = FileStamp(mtime_ns=1, size=2, rules_version=1)


def moved(vault: Vault, document_id: int | None, path: str = NEW, source: str = "notes") -> bool:
    assert document_id is not None
    return bool(vault.moving.move([Move(document_id=document_id, source=source, path=path)]))


def forget(vault: Vault, document_id: int | None) -> None:
    assert document_id is not None
    items = vault.forgetting.item_of(document_id)
    vault.forgetting.forget(items, scope=Scope.DOCUMENT, nights=NIGHTS)


def test_all_versions_say_the_new_place_and_stay_what_they_were(vault: Vault, folder: Path) -> None:
    first, second = put(vault, "one"), put(vault, "one and two")
    assert first.document_id is not None
    assert second.document_id is not None
    vault.documents.set_states({second.document_id: DocumentState.LEARNED})
    before = lasting_heads(vault)
    assert moved(vault, second.document_id)
    assert lasting_heads(vault) == before
    vault.close()
    with reopen(folder) as again:
        for number, text in ((first.document_id, "one"), (second.document_id, "one and two")):
            document = again.documents.read(number)
            assert (document.path, document.text) == (NEW, text)
            assert document.modified_at == 1_700_000_000.5
        assert again.verify().intact


def test_an_edit_at_the_new_place_is_the_next_version(vault: Vault) -> None:
    moved(vault, put(vault, "one").document_id)
    assert put(vault, "one", NEW).outcome is PutOutcome.UNCHANGED
    assert put(vault, "one and two", NEW).outcome is PutOutcome.NEW_VERSION
    assert [head.version for head in vault.documents.heads()] == [1, 2]
    assert len({head.item_id for head in vault.documents.heads()}) == 1


def test_a_file_at_the_old_place_is_another_item(vault: Vault) -> None:
    vault.known_files.remember("notes", {OLD: STAMP})
    moved(vault, put(vault, "one").document_id)
    assert vault.known_files.unchanged("notes", {OLD: STAMP}) == set()
    assert put(vault, "something else").outcome is PutOutcome.STORED


def test_it_belongs_to_its_new_source(vault: Vault) -> None:
    moved(vault, put(vault, "one").document_id, source="letters")
    assert vault.documents.counts_by_source() == {"letters": 1}
    assert vault.verify().intact


def test_what_stood_at_the_new_place_once_becomes_history(vault: Vault, folder: Path) -> None:
    """As when one file is renamed over another."""
    over = put(vault, "what was there", NEW)
    item = put(vault, "one")
    assert not moved(vault, item.document_id)  # another text lives there
    assert put(vault, "one", NEW).outcome is PutOutcome.DUPLICATE  # now it does no more
    assert moved(vault, item.document_id)
    assert put(vault, "one and two", NEW).outcome is PutOutcome.NEW_VERSION
    assert over.document_id is not None
    assert vault.documents.read(over.document_id).state is DocumentState.SUPERSEDED
    assert vault.verify().intact


def test_nothing_is_moved_to_a_place_that_was_forgotten(vault: Vault) -> None:
    there = put(vault, "to be forgotten", NEW)
    forget(vault, there.document_id)
    item = put(vault, "one")
    assert not moved(vault, item.document_id)
    assert put(vault, "one").outcome is PutOutcome.UNCHANGED


def test_forgetting_finds_it_at_the_new_place(vault: Vault) -> None:
    item = put(vault, "one")
    moved(vault, item.document_id)
    forget(vault, item.document_id)
    results = vault.documents.put_many([written("one, edited", NEW), written("new words", OLD)])
    assert [one.outcome for one in results] == [PutOutcome.FORGOTTEN, PutOutcome.STORED]


def test_a_document_that_is_gone_is_not_moved(vault: Vault) -> None:
    assert not moved(vault, 77)
    assert not moved(vault, put(vault, "one").document_id, OLD)


def test_no_version_can_be_opened_by_an_old_key(vault: Vault, folder: Path) -> None:
    """The old place is in what the old key sealed."""
    put(vault, "one")
    keys = set(vault._database.fetch("SELECT id FROM data_keys"))
    moved(vault, put(vault, "one and two").document_id)
    assert not keys & set(vault._database.fetch("SELECT id FROM data_keys"))
