"""A folder, a collector and a real vault."""

from pathlib import Path

from daemon.collecting.collector import Collector
from daemon.collecting.redaction import redact
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.vault_door import VaultDoor
from storage.keys import Argon2Parameters
from storage.records import CollectedDocument, DocumentState, StoredDocument
from storage.vault import Vault
from tests.daemon.collecting.parts import HandClock, NoWatcher, source_settings, write


async def test_a_folder_is_kept_in_the_vault_with_versions_and_without_secrets(
    tmp_path: Path,
) -> None:
    notes = tmp_path / "notes"
    write(notes / "diary.md", "Monday. Wrote to anna@example.org.")
    write(notes / "z-copy.md", "Monday. Wrote to anna@example.org.")
    quick = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
    vault, _ = Vault.create(tmp_path / "vault", passphrase="seven bees", argon2=quick)
    door = VaultDoor(vault)
    collector = Collector(
        store=VaultStore(door), settings=CollectSettings(), clock=HandClock(), watcher=NoWatcher()
    )
    try:
        collector.add(source_settings(notes))
        first = await collector.rescan()
        write(notes / "diary.md", "Monday. Wrote to anna@example.org. Tuesday.", age=9)
        await collector.rescan()
        last = await collector.rescan()
        kept = await door.call(lambda open: list(open.documents.read_many(list(DocumentState))))
    finally:
        await collector.close()
        await door.close()
    assert (first.stored, first.duplicates) == (1, 1)
    assert (last.stored, last.unchanged) == (0, 2)
    texts = sorted(document.text for document in kept if isinstance(document, StoredDocument))
    assert texts == [
        "Monday. Wrote to [email 1].",  # of the copy, wanted since the other one changed
        "Monday. Wrote to [email 1].",
        "Monday. Wrote to [email 1]. Tuesday.",
    ]


async def test_documents_of_deleted_files_are_counted_in_the_record(tmp_path: Path) -> None:
    quick = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
    vault, _ = Vault.create(tmp_path / "vault", passphrase="seven bees", argon2=quick)
    door = VaultDoor(vault)
    store = VaultStore(door)
    texts = {"diary.md": "Monday.", "bees.md": "Seven of them.", "marked.md": "Not this."}
    try:
        await store.put_many(
            [
                redact(CollectedDocument(source="notes", path=path, modified_at=1.0, text=text))
                for path, text in texts.items()
            ]
        )
        gone = ["diary.md", "bees.md"]
        assert await store.remove("notes", gone, deleted=True) == 2
        assert await store.remove("notes", gone, deleted=True) == 0
        assert await store.remove("notes", ["marked.md"]) == 1
        events = await door.call(lambda vault: vault.ledger.events())
    finally:
        await door.close()
    told = [event["facts"] for event in events if event["kind"] == "deleted_files"]
    assert told == [{"source": "notes", "documents": 2}]
    assert "diary" not in repr(events)
