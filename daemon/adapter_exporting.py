"""What the export of one adapter streams: what it is, the published bytes as they are, the end.

Knows nothing of where it goes; `cli/peft_folder.py` writes it.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from daemon.adapter_naming import adapter_named
from daemon.bases import Bases
from daemon.exporting import pieces
from daemon.vault_door import VaultDoor
from storage.errors import AdapterDamaged
from storage.exports import ADAPTER_EXPORTED
from storage.records import PublishedAdapter
from storage.vault import Vault
from trainer.adapter_format import AdapterHeader, read_adapter_header
from trainer.errors import TrainerError

Json = dict[str, Any]

FACTOR = ".lora_A.weight"  # how PEFT's names of the first factors end


async def exported_adapter(
    door: VaultDoor, name: str, bases: Bases, *, folder: str | None
) -> AsyncGenerator[Json, None]:
    """The lines of `ipc.shelf_api.ShelfBackend.export`; the event is kept before the first.

    Raises VaultIsLocked; UnknownAdapter, AmbiguousAdapter, AdapterWithdrawn, AdapterDamaged.
    """
    adapter, weights = await door.call(lambda vault: _opened(vault, name))
    header = _header(adapter, weights)
    base = await asyncio.to_thread(base_facts, bases, adapter.base)
    facts = {"digest": adapter.sha256, "folder": folder}
    await door.call(lambda vault: vault.ledger.append_event(ADAPTER_EXPORTED, facts))
    yield {
        "begin": {
            "kind": "adapter",
            "sha256": adapter.sha256,
            "parent": adapter.parent,
            "trained_at": adapter.trained_at,
            "documents": len(adapter.seen_items),
            "bytes": len(weights),
            "lora": asdict(header.shape),
            "target_modules": target_modules(header),
            "base": adapter.base,
            "base_model": base,
        }
    }
    for line in pieces(weights):
        yield line
    yield {"done": {"sha256": adapter.sha256}}


def target_modules(header: AdapterHeader) -> list[str]:
    """The layers that have factors, by the last parts of their names, as PEFT's config has them."""
    paths = [name.removesuffix(FACTOR) for name in header.tensors.entries if name.endswith(FACTOR)]
    return sorted({path.rpartition(".")[2] for path in paths})


def base_facts(bases: Bases, identity: str) -> Json | None:
    """The base with this identity; None where it is not on this machine."""
    for base in bases.all():
        if base.facts is not None and base.facts.identity == identity:
            return {
                "name": base.name,
                "model": base.facts.name,
                "architecture": base.facts.architecture,
                "origin": base.facts.origin,
                "licence": base.facts.licence,
                "folder": str(base.folder),
            }
    return None


def _opened(vault: Vault, name: str) -> tuple[PublishedAdapter, bytes]:
    adapter = adapter_named(vault, name)
    return adapter, vault.shelf.weights(adapter.sha256)


def _header(adapter: PublishedAdapter, weights: bytes) -> AdapterHeader:
    try:
        return read_adapter_header(weights, base=adapter.base)
    except TrainerError:
        raise AdapterDamaged(sha12=adapter.sha256[:12]) from None
