"""What an export streams: every document, adapter, night and event of the vault, one after the
other, with no more than one of them in memory.

Knows nothing of where it goes; `cli/export_folder.py` writes it.
"""

import base64
import functools
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from daemon.placeholders import counted, placeholders
from daemon.vault_door import VaultDoor
from storage.errors import StorageError
from storage.exports import EXPORTED
from storage.records import AdapterStatus, PublishedAdapter, StoredDocument
from storage.vault import Vault

Json = dict[str, Any]

PIECE_BYTES = 192 * 1024  # a quarter of a megabyte a line, as base64


async def exported(door: VaultDoor, *, folder: str | None = None) -> AsyncGenerator[Json, None]:
    """The lines of `ipc.seeing_api.SeeingBackend.export`; the event is kept before the first.

    Args:
        folder: where it goes, for the event.

    What does not open is left out and counted in the last line. Raises VaultIsLocked, StorageError.
    """
    ids = await door.call(lambda vault: [head.document_id for head in vault.documents.heads()])
    shelf = await door.call(lambda vault: vault.shelf.list())
    adapters = [one for one in shelf if one.status is not AdapterStatus.WITHDRAWN]
    facts = {
        "documents": len(ids),
        "adapters": len(adapters),
        "digests": [one.sha256 for one in adapters],
        "folder": folder,
    }
    await door.call(lambda vault: vault.ledger.append_event(EXPORTED, facts))
    done = {"documents": 0, "adapters": 0, "nights": 0, "events": 0, "left_out": 0}
    for number in ids:
        document = await door.call(functools.partial(_document, number=number))
        if document is None:
            done["left_out"] += 1
            continue
        for line in _file(document_facts(document), _encoded(document.text)):
            yield line
        done["documents"] += 1
    for adapter in adapters:
        weights = await door.call(functools.partial(_weights, digest=adapter.sha256))
        if weights is None:
            done["left_out"] += 1
            continue
        for line in _file(adapter_facts(adapter), weights):
            yield line
        done["adapters"] += 1
    for name, read in (("nights", _nights), ("events", _events)):
        for record in await door.call(read):
            yield {"of": name, "record": record}
            done[name] += 1
    yield {"done": done}


def document_facts(document: StoredDocument) -> Json:
    """All that is known of a document but its text; its turns are offsets in characters."""
    return {
        "kind": "document",
        "document": document.document_id,
        "item": document.item_id,
        "version": document.version,
        "state": document.state.value,
        "source": document.source,
        "path": document.path,
        "modified_at": document.modified_at,
        "collected_day": document.collected_day,
        "characters": len(document.text),
        "redactions": counted(placeholders(document.text)),
        "own": document.own,
        "about": dict(document.about),
        "turns": [
            {"speaker": turn.speaker, "own": turn.own, "start": turn.start, "end": turn.end}
            for turn in document.turns
        ],
    }


def adapter_facts(adapter: PublishedAdapter) -> Json:
    return {
        "kind": "adapter",
        "sha256": adapter.sha256,
        "base": adapter.base,
        "parent": adapter.parent,
        "trained_at": adapter.trained_at,
        "status": adapter.status.value,
        "items": sorted(adapter.seen_items),
    }


def _file(facts: Json, data: bytes) -> Iterator[Json]:
    yield {"begin": facts}
    yield from pieces(data)


def pieces(data: bytes) -> Iterator[Json]:
    """Bytes as lines, and the line that ends them."""
    for start in range(0, len(data), PIECE_BYTES):
        yield {"piece": base64.b64encode(data[start : start + PIECE_BYTES]).decode("ascii")}
    yield {"end": {"bytes": len(data)}}


def _encoded(text: str) -> bytes:
    """UTF-8; what is no character becomes its escape."""
    return text.encode("utf-8", "backslashreplace")


def _document(vault: Vault, *, number: int) -> StoredDocument | None:
    try:
        return vault.documents.read(number)
    except StorageError:
        return None


def _weights(vault: Vault, *, digest: str) -> bytes | None:
    try:
        return vault.shelf.weights(digest)
    except StorageError:
        return None


def _nights(vault: Vault) -> list[Json]:
    return vault.ledger.nights()[::-1]


def _events(vault: Vault) -> list[Json]:
    return vault.ledger.events()
