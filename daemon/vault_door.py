"""The vault from asyncio: one thread, one call at a time, so that the event loop never waits.

The door can be locked. What still has to be finished then, a night's checkpoint first of all, goes
through the inner door, which stays open until the vault is closed.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from daemon.errors import VaultIsLocked
from daemon.unattended_opening import OpenedVault
from storage.vault import Vault

T = TypeVar("T")


class Door(Protocol):
    """What needs the vault and does not open or lock it."""

    async def call(self, function: Callable[[Vault], T]) -> T:
        """What `function(vault)` returns; a call that was begun is carried to its end.

        Raises:
            VaultIsLocked: it was not begun.
        """
        ...


class VaultDoor:
    """Runs functions of the vault in a thread of their own, in order.

    Args:
        vault: open, or None while it is locked.
    """

    def __init__(self, vault: Vault | None = None) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault")
        self._vault = vault
        self._refusing = vault is None

    @property
    def is_open(self) -> bool:
        return not self._refusing

    def check(self) -> None:
        """Raises `VaultIsLocked`."""
        if self._refusing:
            raise VaultIsLocked

    async def call(self, function: Callable[[Vault], T]) -> T:
        """As `Door.call`."""
        self.check()
        return await self.finish(function)

    async def finish(self, function: Callable[[Vault], T]) -> T:
        """`call` for what a lock waits for."""
        return await self.alone(self._with_vault(function))

    async def alone(self, function: Callable[[], T]) -> T:
        """Runs `function` in the vault's thread, with or without a vault."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, function))

    @property
    def inner(self) -> Door:
        """For what a lock waits for."""
        return _InnerDoor(self)

    # ------------------------------------------------------------------- opening and locking

    async def open(self, opener: Callable[[], OpenedVault]) -> str:
        """Open the vault; the kind of the slot that opened it.

        Raises what `opener` raises, and stays locked then.
        """
        assert self._vault is None, "it is open"
        opened = await self.alone(opener)
        self._vault = opened.vault
        self._refusing = False
        return opened.by

    def refuse(self) -> None:
        """From now on only the inner door is open."""
        self._refusing = True

    async def lock(self) -> None:
        """Close the vault after what was asked before; its keys go with it."""
        self._refusing = True
        await self.alone(self._shut)

    async def close(self) -> None:
        """Lock, for good."""
        await self.lock()
        self._thread.shutdown()

    def _shut(self) -> None:
        vault, self._vault = self._vault, None
        if vault is not None:
            vault.close()

    def _with_vault(self, function: Callable[[Vault], T]) -> Callable[[], T]:
        def in_thread() -> T:
            if self._vault is None:
                raise VaultIsLocked
            return function(self._vault)

        return in_thread


class _InnerDoor:
    """See `VaultDoor.inner`."""

    def __init__(self, door: VaultDoor) -> None:
        self._door = door

    async def call(self, function: Callable[[Vault], T]) -> T:
        return await self._door.finish(function)
