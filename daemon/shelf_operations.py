"""What the command line asks of one adapter, done: shown, exported, deleted.

Implements `ipc.shelf_api.ShelfBackend`. Weights leave here towards `admin.sock` and nowhere else.
"""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from daemon.adapter_exporting import base_facts, exported_adapter
from daemon.adapter_facts import shown
from daemon.adapter_naming import adapter_named
from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.engine_handle import EngineHandle
from daemon.keys_operations import secret_of
from daemon.operation_errors import said
from daemon.vault_door import VaultDoor
from ipc.given_secret import GivenSecret
from storage.exports import adapter_exports
from storage.keys import Secret
from storage.records import PublishedAdapter
from storage.vault import Vault

Json = dict[str, Any]

DELETED = "adapter_deleted"


class ShelfOperations:
    """A part of `Operations`.

    Args:
        confirm: raises unless the secret opens the vault.
        base: the one in use.
    """

    def __init__(
        self,
        *,
        vault: VaultDoor,
        engine: EngineHandle,
        confirm: Callable[[Secret], Awaitable[None]],
        bases: Bases,
        base: ChosenBase,
    ) -> None:
        self._vault = vault
        self._engine = engine
        self._confirm = confirm
        self._bases = bases
        self._base = base

    async def show(self, adapter: str) -> Json:
        with said():
            in_use = await asyncio.to_thread(self._base.identity)
            wanted = await self._vault.call(lambda vault: adapter_named(vault, adapter))
            own = await asyncio.to_thread(base_facts, self._bases, wanted.base)
            name = own["name"] if own else None
            return await self._vault.call(
                functools.partial(_shown, adapter=wanted, in_use=in_use, base_name=name)
            )

    async def export(
        self, adapter: str, secret: GivenSecret, folder: str | None
    ) -> AsyncGenerator[Json, None]:
        """One adapter, to whoever knows the secret."""
        with said():
            await self._confirm(secret_of(secret))
            lines = exported_adapter(self._vault, adapter, self._bases, folder=folder)
            async with aclosing(lines):
                async for line in lines:
                    yield line

    async def delete(self, adapter: str, *, pinned: bool, now: bool) -> Json:
        """Its weights are gone for good; that it was there stays in the list."""
        with said():
            wanted = await self._vault.call(lambda vault: adapter_named(vault, adapter))
            digest = wanted.sha256
            freed = await self._vault.call(
                functools.partial(_deleted, digest=digest, pinned=pinned)
            )  # from here on no new request finds it
            if now:
                self._engine.take_away({digest})
            await self._engine.drop_adapter(digest)
            if self._engine.holds(digest):  # it was on its way in, or answers somebody
                await self._engine.drop_adapter(digest)
        answering = not now and self._engine.holds(digest)
        return {"sha256": digest, "freed_bytes": freed, "answering": answering}


def _shown(
    vault: Vault, *, adapter: PublishedAdapter, in_use: str | None, base_name: str | None
) -> Json:
    sizes = {one.sha256: one.size for one in vault.adapter_quota.shelved() if not one.withdrawn}
    return shown(
        adapter,
        in_use,
        base_name=base_name,
        stored_bytes=sizes.get(adapter.sha256, 0),
        nights=vault.ledger.nights(),
        exports=adapter_exports(vault.ledger.events(), {adapter.sha256}),
    )


def _deleted(vault: Vault, *, digest: str, pinned: bool) -> int:
    """Weights and event in one transaction; the bytes that became free."""
    with vault.transaction():
        freed = vault.adapter_quota.delete(digest, pinned=pinned)
        if freed:
            facts = {"digest": digest, "freed_bytes": freed}
            vault.ledger.append_event(DELETED, facts)
    return freed
