"""The vault from asyncio: one thread, one call at a time, so that the event loop never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from storage.vault import Vault

T = TypeVar("T")


class VaultDoor:
    """Runs functions of the vault in a thread of their own, in order."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault")

    async def call(self, function: Callable[[Vault], T]) -> T:
        """What `function(vault)` returns; a call that was begun is carried to its end."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, function, self._vault))

    async def close(self) -> None:
        """Close the vault after what was asked before."""
        await self.call(lambda vault: vault.close())
        self._thread.shutdown()
