"""Opening in bulk finds what the layers below find one after the other."""

from typing import Any

import pytest

from storage.document_intake import text_binding
from storage.document_opening import opened
from storage.document_rows import DamagedRow, decode_document
from storage.records import StoredDocument
from storage.sealing import unseal_row
from storage.vault import Vault
from tests.storage.making import written

QUERY = (
    "SELECT d.id, d.item, d.version, d.state, d.day, d.key, k.epoch, k.wrapped, t.sealed "
    "FROM documents d JOIN data_keys k ON k.id = d.key JOIN document_texts t ON t.id = d.id"
)
TEXTS = ["", "plain", "ünïcode \ud800 and a mark \x80", "zeros at the end \0\0", "x" * 70_000]


@pytest.fixture
def rows(vault: Vault) -> list[tuple[Any, ...]]:
    vault.documents.put_many(
        written(text, path=f"/notes/{number}") for number, text in enumerate(TEXTS)
    )
    return vault._database.fetch(QUERY)


def test_it_opens_what_the_layers_open(vault: Vault, rows: list[tuple[Any, ...]]) -> None:
    keys = vault._database.keys
    found = list(opened(keys, rows))

    assert [one.text for one in found if isinstance(one, StoredDocument)] == TEXTS
    for row, one in zip(rows, found, strict=True):
        number, *_, key_id, epoch, wrapped, sealed = row
        key = keys.open_data_key(key_id, epoch, wrapped)
        head, text = decode_document(unseal_row(key, sealed, text_binding(number)))
        assert isinstance(one, StoredDocument)
        assert (one.source, one.path, one.modified_at, one.text) == (
            head["source"],
            head["path"],
            head["modified_at"],
            text,
        )


@pytest.mark.parametrize("cell", [7, 8], ids=["key", "text"])
@pytest.mark.parametrize("place", [0, 1, 20, -1])
def test_a_changed_byte_is_a_damaged_row_and_the_rest_goes_on(
    vault: Vault, rows: list[tuple[Any, ...]], cell: int, place: int
) -> None:
    changed = bytearray(rows[1][cell])
    changed[place] ^= 1
    rows[1] = (*rows[1][:cell], bytes(changed), *rows[1][cell + 1 :])

    found = list(opened(vault._database.keys, rows))

    assert found[1] == DamagedRow(table="documents", row_id=rows[1][0])
    assert sum(isinstance(one, StoredDocument) for one in found) == len(TEXTS) - 1


@pytest.mark.parametrize("cell", [3, 6, 7, 8], ids=["state", "epoch", "key", "text"])
@pytest.mark.parametrize("value", [None, b"", "other", 99])
def test_whatever_stands_in_a_row_is_no_error(
    vault: Vault, rows: list[tuple[Any, ...]], cell: int, value: object
) -> None:
    rows[0] = (*rows[0][:cell], value, *rows[0][cell + 1 :])

    assert isinstance(next(opened(vault._database.keys, rows)), DamagedRow)
