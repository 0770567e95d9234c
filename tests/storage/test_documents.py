"""Documents: what is stored, what is a new version, a copy, or forgotten; states and readings."""

import dataclasses
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import documents as documents_module
from storage import vault_keys
from storage.document_intake import encoded_item, text_binding
from storage.document_rows import (
    DamagedRow,
    DocumentRow,
    PutOutcome,
    decode_document,
    encode_document,
)
from storage.errors import RowDamaged, UnknownDocument
from storage.known_files import FileStamp
from storage.lookup import Lookup
from storage.manifest import encode_row
from storage.records import (
    DocumentState,
    RedactedDocument,
    Redaction,
    SpokenTurn,
    StoredDocument,
)
from storage.sealing import (
    HASH_BYTES,
    derive_key,
    framed,
    key_binding,
    prepared_mac,
    row_binding,
)
from storage.tombstones import Tombstones
from storage.vault import Vault
from tests.storage.making import put, reopen, tampering, written

NEW, LEARNED, SUPERSEDED = DocumentState.NEW, DocumentState.LEARNED, DocumentState.SUPERSEDED


def texts(vault: Vault, *states: DocumentState) -> list[str]:
    found = vault.documents.read_many(states)
    return [one.text for one in found if isinstance(one, StoredDocument)]


def lookup(vault: Vault) -> Lookup:
    return Lookup(vault._database.keys.lookup)


def bury(vault: Vault, *hashes: bytes) -> None:
    Tombstones(vault._database).bury(hashes, day="2026-11-21")


def test_a_stored_document_comes_back_whole(vault: Vault, folder: Path) -> None:
    result = put(vault, "The bees are quiet. \U0001f41d")
    vault.close()
    with reopen(folder) as again:
        document = again.documents.read(result.document_id or 0)
    assert result.outcome is PutOutcome.STORED
    assert document.text == "The bees are quiet. \U0001f41d"
    assert (document.source, document.path) == ("notes", "/home/ada/diary.md")
    assert (document.version, document.state) == (1, NEW)
    assert document.modified_at == 1_700_000_000.5


def test_the_same_file_with_the_same_text_is_unchanged(vault: Vault) -> None:
    first = put(vault, "Monday.")
    again = put(vault, "Monday.")
    assert (again.outcome, again.document_id) == (PutOutcome.UNCHANGED, first.document_id)
    assert texts(vault, NEW) == ["Monday."]


def test_a_longer_diary_is_a_new_version_of_the_same_item(vault: Vault) -> None:
    first = vault.documents.read(put(vault, "Monday.").document_id or 0)
    result = put(vault, "Monday. Tuesday.")
    second = vault.documents.read(result.document_id or 0)
    assert result.outcome is PutOutcome.NEW_VERSION
    assert (second.item_id, second.version) == (first.item_id, 2)
    assert texts(vault, NEW) == ["Monday. Tuesday."]
    assert texts(vault, SUPERSEDED) == ["Monday."]


def test_a_text_that_goes_back_to_what_it_was_is_a_third_version(vault: Vault) -> None:
    for text in ("one", "two"):
        put(vault, text)
    result = put(vault, "one")
    assert result.outcome is PutOutcome.NEW_VERSION
    assert vault.documents.read(result.document_id or 0).version == 3


def test_a_copy_under_another_path_is_not_stored_twice(vault: Vault) -> None:
    original = put(vault, "A recipe.", "/a.md")
    copy = put(vault, "A recipe.", "/b.md")
    assert (copy.outcome, copy.document_id) == (PutOutcome.DUPLICATE, original.document_id)
    assert texts(vault, NEW) == ["A recipe."]


def test_a_copy_in_another_normal_form_is_a_copy(vault: Vault) -> None:
    put(vault, unicodedata.normalize("NFC", "Crème brûlée"), "/a.md")
    copy = put(vault, unicodedata.normalize("NFD", "Crème brûlée"), "/b.md")
    assert copy.outcome is PutOutcome.DUPLICATE


def test_a_copy_is_stored_when_the_original_says_something_else_now(vault: Vault) -> None:
    put(vault, "A recipe.", "/a.md")
    put(vault, "A letter.", "/a.md")
    assert put(vault, "A recipe.", "/b.md").outcome is PutOutcome.STORED
    assert texts(vault, NEW) == ["A letter.", "A recipe."]


def test_a_file_that_becomes_a_copy_no_longer_stands_for_its_old_text(vault: Vault) -> None:
    put(vault, "A recipe.", "/a.md")
    put(vault, "A letter.", "/b.md")
    assert put(vault, "A recipe.", "/b.md").outcome is PutOutcome.DUPLICATE
    assert texts(vault, NEW) == ["A recipe."]
    assert put(vault, "A third thing.", "/b.md").outcome is PutOutcome.NEW_VERSION


def test_one_batch_decides_as_many_small_ones_would(vault: Vault) -> None:
    results = vault.documents.put_many(
        [
            written("one", "/a.md"),
            written("one", "/a.md"),
            written("one", "/b.md"),
            written("two", "/a.md"),
            written("one", "/b.md"),
        ]
    )
    assert [result.outcome.value for result in results] == [
        "stored",
        "unchanged",
        "duplicate",
        "new_version",
        "stored",
    ]
    assert texts(vault, NEW) == ["two", "one"]
    assert vault.verify().intact


def test_a_forgotten_file_is_not_collected_again_even_when_edited(vault: Vault) -> None:
    bury(vault, lookup(vault).item("notes", "/a.md"))
    assert put(vault, "Something else by now.", "/a.md").outcome is PutOutcome.FORGOTTEN
    assert vault.documents.heads() == []


def test_a_copy_of_a_forgotten_text_is_not_collected(vault: Vault, folder: Path) -> None:
    bury(vault, lookup(vault).content("Never again."))
    vault.close()
    with reopen(folder) as again:
        result = put(again, "Never again.", "/elsewhere.md")
        assert (result.outcome, result.document_id) == (PutOutcome.FORGOTTEN, None)
        assert put(again, "Something else.", "/elsewhere.md").outcome is PutOutcome.STORED


def test_a_put_that_fails_keeps_nothing_of_its_batch(vault: Vault) -> None:
    def coming() -> Iterator[RedactedDocument]:
        for number in range(1200):
            yield written(f"text {number}", f"/{number}.md")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        vault.documents.put_many(coming())
    assert vault.documents.heads() == []
    assert put(vault, "text 1", "/1.md").outcome is PutOutcome.STORED
    assert vault.verify().intact


def test_states_move_together(vault: Vault) -> None:
    ids = [put(vault, f"text {n}", f"/{n}.md").document_id or 0 for n in range(3)]
    vault.documents.set_states({ids[0]: LEARNED, ids[1]: DocumentState.HELD_OUT})
    counts = vault.documents.counts()
    assert (counts[NEW], counts[LEARNED], counts[DocumentState.HELD_OUT]) == (1, 1, 1)
    assert vault.verify().intact


def test_states_move_all_or_none(vault: Vault) -> None:
    known = put(vault, "text").document_id or 0
    with pytest.raises(UnknownDocument, match="no document 999"):
        vault.documents.set_states({known: LEARNED, 999: LEARNED})
    assert vault.documents.read(known).state is NEW


def test_a_night_does_not_bring_back_what_was_superseded_meanwhile(vault: Vault) -> None:
    old = put(vault, "Monday.").document_id or 0
    put(vault, "Monday. Tuesday.")
    vault.documents.set_states({old: LEARNED})
    assert vault.documents.read(old).state is SUPERSEDED


def test_heads_tell_what_is_there_without_the_text(vault: Vault) -> None:
    put(vault, "one", "/a.md")
    put(vault, "two", "/a.md")
    vault.documents.put_many([written("three", "/c.md", source="letters")])
    heads = vault.documents.heads()
    assert [(head.item_id, head.version, head.state) for head in heads] == [
        (1, 1, SUPERSEDED),
        (1, 2, NEW),
        (2, 1, NEW),
    ]
    assert heads[2].source_key == vault.documents.source_key("letters")
    assert heads[0].source_key == vault.documents.source_key("notes")
    assert vault.documents.counts_by_source() == {"notes": 1, "letters": 1}


def test_one_damaged_row_is_named_and_the_rest_goes_on(vault: Vault, folder: Path) -> None:
    for number in range(5):
        put(vault, f"text {number}", f"/{number}.md")
    vault.close()
    with tampering(folder) as database:
        database.execute("UPDATE document_texts SET sealed = zeroblob(300) WHERE id = 2")
        database.execute("DELETE FROM document_texts WHERE id = 3")
        database.execute("DELETE FROM data_keys WHERE id = 4")
    with reopen(folder) as again:
        found = list(again.documents.read_many({NEW}))
        with pytest.raises(RowDamaged, match="Row 2 of documents does not open"):
            again.documents.read(2)
        assert again.verify().damaged_rows == tuple(found[1:4])
    assert found[1:4] == [DamagedRow(table="documents", row_id=n) for n in (2, 3, 4)]
    assert [one.text for one in found if isinstance(one, StoredDocument)] == ["text 0", "text 4"]


def test_reading_may_be_left_in_the_middle(vault: Vault) -> None:
    for number in range(3):
        put(vault, f"text {number}", f"/{number}.md")
    reading = vault.documents.read_many({NEW})
    next(reading)
    assert put(vault, "another", "/x.md").outcome is PutOutcome.STORED
    assert len(list(reading)) == 2


def test_a_document_says_nothing_in_its_repr(vault: Vault) -> None:
    stored = vault.documents.read(put(vault, "A secret garden.").document_id or 0)
    for shown in (repr(stored), repr(written("A secret garden."))):
        assert "garden" not in shown
        assert "diary" not in shown


def test_a_document_becomes_these_bytes() -> None:
    document = written("bées", "/a\udcff.md")
    encoded = encode_document(document)
    assert encoded == (
        b"\0\0\0\x64"
        b'{"source":"notes","path":"/a\\udcff.md","modified_at":1700000000.5,'
        b'"redactions":[],"rules_version":1}'
        b"b\xc3\xa9es"
    )
    head, text = decode_document(encoded)
    assert (head["path"], text) == ("/a\udcff.md", "bées")


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_and_any_path_come_back(text: str, path: str) -> None:
    head, read = decode_document(encode_document(written(text, path)))
    assert (read, head["path"]) == (text, path)


def test_redactions_are_kept_with_the_text() -> None:
    marked = dataclasses.replace(
        written("[email 1]"), redactions=(Redaction(kind="email", start=0, end=9),)
    )
    assert decode_document(encode_document(marked))[0]["redactions"] == [["email", 0, 9]]


def test_turns_and_what_is_known_besides_are_kept(vault: Vault) -> None:
    turns = (
        SpokenTurn(own=False, speaker="A", start=0, end=4),
        SpokenTurn(own=True, speaker="me", start=5, end=9),
    )
    chat = dataclasses.replace(
        written("Tea?\nYes."), turns=turns, own=False, about={"title": "Tea"}
    )

    [kept] = vault.documents.put_many([chat])
    stored = vault.documents.read(kept.document_id or 0)

    assert (stored.turns, stored.own, dict(stored.about)) == (turns, False, {"title": "Tea"})


@pytest.mark.parametrize("most_bytes", [1, 300, 1000, 10_000])
def test_a_reading_in_small_pieces_leaves_nothing_out(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(documents_module, "READ_BYTES", most_bytes)
    written_texts = [str(number) * (1 + 300 * (number % 3)) for number in range(10)]
    for number, text in enumerate(written_texts):
        put(vault, text, f"/{number}.md")
    assert texts(vault, NEW) == written_texts


def test_a_document_of_an_unknown_state_is_named_damaged(vault: Vault, folder: Path) -> None:
    put(vault, "text")
    vault.close()
    with tampering(folder) as database:
        database.execute("UPDATE documents SET state = 'sold'")
    with reopen(folder) as again:
        with pytest.raises(RowDamaged, match="Row 1 of documents does not open"):
            again.documents.read(1)
        with pytest.raises(RowDamaged, match="Row 1 of documents does not open"):
            put(again, "another text")


REDACTIONS = st.lists(
    st.builds(Redaction, kind=st.text(), start=st.integers(), end=st.integers()), max_size=3
)


@given(
    source=st.text(st.characters()),
    path=st.text(st.characters()),
    modified_at=st.floats() | st.integers(),
    redactions=REDACTIONS,
)
def test_a_head_written_by_hand_is_what_json_would_write(
    source: str, path: str, modified_at: float, redactions: list[Redaction]
) -> None:
    document = RedactedDocument(
        source=source,
        path=path,
        modified_at=modified_at,
        text="",
        redactions=tuple(redactions),
        rules_version=3,
    )
    head = {
        "source": source,
        "path": path,
        "modified_at": modified_at,
        "redactions": [[one.kind, one.start, one.end] for one in redactions],
        "rules_version": 3,
    }
    assert encode_document(document)[4:] == json.dumps(head, separators=(",", ":")).encode()


@given(
    numbers=st.tuples(*[st.integers(0, 2**63 - 1)] * 4),
    state=st.sampled_from(DocumentState),
    day=st.text(),
    content_hash=st.binary(),
)
def test_a_row_encodes_itself_as_the_manifest_would(
    numbers: tuple[int, ...], state: DocumentState, day: str, content_hash: bytes
) -> None:
    number, item, version, key = numbers
    row = DocumentRow(number, item, version, state, day, content_hash, key)
    assert row.encoded == encode_row("documents", row.cells)


def test_an_item_is_encoded_as_the_manifest_would() -> None:
    cells = (7, b"\0" * 16, b"|;:" * 5)
    assert encoded_item(*cells) == encode_row("items", cells)


def test_a_stamp_is_hashed_with_the_length_of_each_part() -> None:
    key = bytes(range(32))
    mac = prepared_mac(derive_key(key, "lookup/stamp"))
    expected = mac(framed(b"i" * 16, b"-5", b"70", b"1"))[:HASH_BYTES]
    assert Lookup(key).stamp(b"i" * 16, -5, 70, 1) == expected


def test_a_file_is_known_until_its_time_size_or_the_rules_change(vault: Vault) -> None:
    stamp = FileStamp(mtime_ns=5, size=7, rules_version=1)
    assert not vault.known_files.knows("notes")
    vault.known_files.remember("notes", {"/a.md": stamp, "/b.md": stamp})
    assert vault.known_files.knows("notes")
    assert not vault.known_files.knows("letters")
    asked = {
        "/a.md": stamp,
        "/b.md": FileStamp(mtime_ns=6, size=7, rules_version=1),
        "/c.md": stamp,
    }
    assert vault.known_files.unchanged("notes", asked) == {"/a.md"}
    assert vault.known_files.unchanged("letters", asked) == set()
    newer_rules = {"/a.md": FileStamp(mtime_ns=5, size=7, rules_version=2)}
    assert vault.known_files.unchanged("notes", newer_rules) == set()
    vault.known_files.remember("notes", newer_rules)
    assert vault.known_files.unchanged("notes", newer_rules) == {"/a.md"}
    vault.known_files.forget("notes")
    assert vault.known_files.unchanged("notes", newer_rules) == set()


@pytest.mark.parametrize("document_id", [1, 2**40])
def test_a_text_and_its_key_are_bound_as_every_cell_is(document_id: int) -> None:
    assert text_binding(document_id) == row_binding("document_texts", document_id, "sealed")
    expected = key_binding("data_keys", document_id, "epoch 3")
    assert vault_keys._data_key_binding(document_id, 3) == expected
