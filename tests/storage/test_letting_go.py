"""Text that may not be kept any longer is gone for good, and may come again."""

from pathlib import Path

import pytest

from storage.document_rows import PutOutcome
from storage.errors import UnknownDocument
from storage.known_files import FileStamp
from storage.vault import Vault
from tests.storage.making import publish, put, reopen, written

STAMP = FileStamp(mtime_ns=1, size=2, rules_version=1)


def test_all_versions_at_a_path_go_and_others_stay(vault: Vault, folder: Path) -> None:
    first, second = put(vault, "one"), put(vault, "one and two")
    other = put(vault, "another", "/home/ada/other.md")
    assert vault.letting_go.of_paths("notes", ["/home/ada/diary.md", "/home/ada/never.md"]) == 2
    for gone in (first, second):
        assert gone.document_id is not None
        with pytest.raises(UnknownDocument):
            vault.documents.read(gone.document_id)
    vault.close()
    with reopen(folder) as again:
        assert again.documents.counts_by_source() == {"notes": 1}
        assert other.document_id is not None
        assert again.documents.read(other.document_id).text == "another"
        assert again.verify().intact


def test_a_path_of_another_source_is_another_item(vault: Vault) -> None:
    vault.documents.put_many([written("one", source="letters")])
    assert vault.letting_go.of_paths("notes", ["/home/ada/diary.md"]) == 0
    assert vault.documents.counts_by_source() == {"letters": 1}


def test_its_file_is_read_again_and_its_text_kept_again(vault: Vault) -> None:
    put(vault, "one")
    put(vault, "two", "/home/ada/other.md")
    stamps = {"/home/ada/diary.md": STAMP, "/home/ada/other.md": STAMP}
    vault.known_files.remember("notes", stamps)
    vault.letting_go.of_paths("notes", ["/home/ada/diary.md"])
    assert vault.known_files.unchanged("notes", stamps) == {"/home/ada/other.md"}
    assert put(vault, "one").outcome is not PutOutcome.FORGOTTEN
    assert vault.documents.counts_by_source() == {"notes": 2}


def test_an_adapter_that_saw_it_still_knows_the_item(vault: Vault) -> None:
    """So that forgetting finds the adapter, should the same file come again."""
    put(vault, "one")
    (before,) = vault.documents.heads()
    adapter = publish(vault, b"weights")
    vault.letting_go.of_paths("notes", ["/home/ada/diary.md"])
    put(vault, "one")
    (after,) = vault.documents.heads()
    assert before.item_id == after.item_id
    assert after.item_id in adapter.seen_items


def test_nothing_is_no_mistake(vault: Vault) -> None:
    assert vault.letting_go.of_documents([]) == 0
    assert vault.letting_go.of_documents([17]) == 0


def test_the_database_gets_smaller(vault: Vault) -> None:
    empty = vault.database_bytes()
    documents = [written(f"{n} " * 2000, f"/{n}.md") for n in range(50)]
    ids = [one.document_id for one in vault.documents.put_many(documents)]
    full = vault.database_bytes()
    assert full > empty + 50 * 4000
    vault.letting_go.of_documents([one for one in ids if one is not None])
    assert vault.database_bytes() < full - 50 * 3000
