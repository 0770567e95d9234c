"""Documents opened in bulk: from rows as SQLite gives them to what they hold.

The same as `VaultKeys.open_data_key`, `sealing.unseal_row` and `decode_document` one after the
other, written flat: calls and copies in between are a seventh of what opening a document takes.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.document_rows import STATES, USUAL_FACTS, DamagedRow, with_more
from storage.records import StoredDocument
from storage.sealing import FORMAT, NONCE_BYTES
from storage.vault_keys import VaultKeys

_BODY = 1 + NONCE_BYTES
_PAD_MARK = 0x80
_length = struct.Struct(">I").unpack_from
_decode_head = json.JSONDecoder().raw_decode


def opened(keys: VaultKeys, rows: Iterable[Any]) -> Iterator[StoredDocument | DamagedRow]:
    """A document for each row that opens, and a `DamagedRow` for each that does not.

    Args:
        rows: id, item, version, state, day, id of its key, the key's epoch and the wrapped key, and
            the sealed text; the last three are None where there is none.
    """
    epochs = keys.epochs
    for number, item, version, state, day, key_id, epoch, wrapped, sealed in rows:
        try:
            if not wrapped[0] == sealed[0] == FORMAT:
                raise ValueError
            binding = b"nightloom/%d|data_keys|%d|epoch %d" % (FORMAT, key_id, epoch)
            key = epochs[epoch].decrypt(wrapped[1:_BODY], wrapped[_BODY:], binding)
            binding = b"nightloom/%d|document_texts|%d|sealed" % (FORMAT, number)
            padded = AESGCM(key).decrypt(sealed[1:_BODY], sealed[_BODY:], binding)
            data = padded.rstrip(b"\0")
            if data[-1] != _PAD_MARK:
                raise ValueError
            start = 4 + _length(data)[0]
            written = data[4:start].decode()
            head, end = _decode_head(written)
            if end != len(written):
                raise ValueError
            document = StoredDocument(
                document_id=number,
                item_id=item,
                version=version,
                state=STATES[state],
                source=head["source"],
                path=head["path"],
                modified_at=head["modified_at"],
                collected_day=day,
                text=data[start:-1].decode("utf-8", "surrogatepass"),
            )
            yield document if len(head) == USUAL_FACTS else with_more(document, head)
        except (InvalidTag, ValueError, KeyError, IndexError, TypeError, struct.error):
            yield DamagedRow(table="documents", row_id=number)
