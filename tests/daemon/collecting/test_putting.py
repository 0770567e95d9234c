"""What is collected stands in the record of events, in the same transaction."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.putting import add_and_tell, put_and_tell, remove_and_tell
from daemon.collecting.redaction import redact
from storage.errors import SourceExists, UnknownSource
from storage.keys import Argon2Parameters
from storage.records import CollectedDocument, RedactedDocument, SourceSettings
from storage.vault import Vault

QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
SECRET = "seventeen quiet herons"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault, _ = Vault.create(tmp_path / "vault", passphrase="larks", argon2=QUICK)
    with vault:
        yield vault


def note(path: str, text: str, source: str = "notes") -> RedactedDocument:
    return redact(CollectedDocument(source=source, path=path, modified_at=1.0, text=text))


def told(vault: Vault) -> list[dict[str, Any]]:
    return [one["facts"] for one in vault.ledger.events() if one["kind"] == "collected"]


def test_a_batch_is_one_event_for_each_source(vault: Vault) -> None:
    put_and_tell(
        vault, [note("a", "one " + SECRET), note("b", "two"), note("c", "three", source="diary")]
    )
    assert told(vault) == [{"source": "notes", "stored": 2}, {"source": "diary", "stored": 1}]
    put_and_tell(vault, [note("a", "one more")])
    assert told(vault)[2:] == [{"source": "notes", "new_versions": 1}]
    assert SECRET not in str(vault.ledger.events())


def test_what_did_not_change_is_no_event(vault: Vault) -> None:
    for _ in range(2):
        put_and_tell(vault, [note("a", "one")])
    put_and_tell(vault, [note("copy", "one")])
    assert len(told(vault)) == 1


def test_what_was_kept_out_is_told(vault: Vault) -> None:
    item = vault.documents._lookup.item("notes", "a")
    with vault.transaction():
        vault.documents._tombstones.bury([item], day="2026-11-21")
    put_and_tell(vault, [note("a", "one")])
    assert told(vault) == [{"source": "notes", "forgotten": 1}]
    assert vault.documents.is_forgotten("notes", "a", "anything")
    assert not vault.documents.is_forgotten("notes", "b", "one")


def test_a_source_that_comes_or_goes_is_told_by_its_name(vault: Vault) -> None:
    source = SourceSettings(name="notes", kind="folder", path="/home/ada/" + SECRET)
    add_and_tell(vault, source)
    with pytest.raises(SourceExists):
        add_and_tell(vault, source)
    remove_and_tell(vault, "notes")
    with pytest.raises(UnknownSource):
        remove_and_tell(vault, "notes")
    assert [(one["kind"], one["facts"]) for one in vault.ledger.events()] == [
        ("source_added", {"source": "notes", "of": "folder"}),
        ("source_removed", {"source": "notes"}),
    ]
