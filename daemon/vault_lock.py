"""Opening and locking the vault while the service runs, one change at a time.

A change that was begun is carried to its end, whoever hangs up meanwhile. While the vault is
locked, and unless somebody asked for that, it is tried again with nobody there.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from daemon.collecting.clock import Clock
from daemon.errors import LockError, NothingOpens
from daemon.unattended_opening import InVain, OpenedVault, open_unattended, shown_slots
from daemon.unattended_tries import UnattendedTries, Watch
from daemon.unlock_attempts import Attempts
from daemon.vault_door import VaultDoor
from storage.errors import StorageError
from storage.keys import Passphrase, Secret
from storage.slots import PASSPHRASE, RECOVERY
from storage.unattended import Keeper, keepers
from storage.vault import Vault

log = logging.getLogger("nightloom.lock")

T = TypeVar("T")


class VaultLock:
    """Opens the door, and has everything behind it come to life.

    Args:
        door: of the vault.
        folder: of the vault.
        alive: entered when the door was opened by this kind of slot; leaving it locks the door.
        watch: tells when a try with nobody there may be worth it.
        attempts: counts wrong secrets.
        keepers: what holds keys of unattended slots here.
        clock: says when to try again.
    """

    def __init__(
        self,
        door: VaultDoor,
        folder: Path,
        *,
        alive: Callable[[str], AbstractAsyncContextManager[None]],
        watch: Watch,
        attempts: Attempts | None = None,
        keepers: Callable[[], Sequence[Keeper]] = keepers,
        clock: Clock | None = None,
    ) -> None:
        self._door = door
        self._make_alive = alive
        self._folder = folder
        self._attempts = attempts or Attempts()
        self._keepers = keepers
        self._tries = UnattendedTries(self._try, watch=watch, clock=clock)
        self._turn = asyncio.Lock()
        self._alive: contextlib.AsyncExitStack | None = None
        self._changes: set[asyncio.Task[Any]] = set()
        self.asked = False  # somebody locked it, so it stays locked until somebody opens it
        self.vain: InVain | None = None  # the last try with nobody there

    @property
    def is_open(self) -> bool:
        return self._door.is_open

    @property
    def tries_again(self) -> bool:
        return self._tries.goes_on

    def shown_slots(self) -> list[dict[str, Any]]:
        """See `unattended_opening.shown_slots`."""
        return shown_slots(self._folder, self.vain)

    # ------------------------------------------------------------------- at the start

    async def start(self, first: OpenedVault | InVain) -> None:
        """Begin with an open vault, or locked; then it is tried again from time to time."""
        if isinstance(first, OpenedVault):
            await self._carry(self._open(lambda: first))
        else:
            self.vain = first
            log.warning("%s", first.sentence)
            self._tries.begin()

    # ------------------------------------------------------------------- asked for

    async def unlock(self, secret: Secret | None) -> bool:
        """Open it with a secret, or with nobody's; whether it was locked.

        Raises:
            SecretRefused, TooManyAttempts, AttemptTooSoon: it stays as it is.
            NothingOpens: there was no secret, and no slot opens without one.
            VaultUnavailable: it cannot be opened at all.
        """
        if self.is_open:
            return False
        if secret is None:
            was_locked = await self._carry(self._open(self._by_nobody))
        else:
            async with self._attempts.one():
                was_locked = await self._carry(self._open(lambda: self._by_person(secret)))
        await self._tries.end()
        return was_locked

    async def lock(self) -> bool:
        """Lock it, until somebody unlocks it; whether it was open.

        A night saves its checkpoint and ends, answers under way end with an error, and the engine's
        process is gone when this returns.
        """
        return await self._carry(self._lock_as_asked())

    async def confirm(self, secret: Secret) -> None:
        """Check a secret again while the vault is open.

        Raises:
            SecretRefused, TooManyAttempts, AttemptTooSoon: it was not right.
        """
        async with self._attempts.one():
            await self._door.call(lambda vault: vault.confirm(secret))

    async def close(self) -> None:
        """The service ends."""
        await self._tries.end()
        await self._carry(self._lock())

    # ------------------------------------------------------------------- how it is done

    async def _try(self) -> bool:
        try:
            await self._carry(self._open(self._by_nobody))
        except LockError:
            return False
        except StorageError as error:
            self.vain = InVain(sentence=str(error))
            return False
        return True

    def _by_nobody(self) -> OpenedVault:
        found = open_unattended(self._folder, self._keepers())
        if isinstance(found, InVain):
            self.vain = found
            raise NothingOpens(found.sentence)
        return found

    def _by_person(self, secret: Secret) -> OpenedVault:
        return OpenedVault(vault=Vault.open(self._folder, secret), by=slot_of(secret))

    async def _open(self, opener: Callable[[], OpenedVault]) -> bool:
        async with self._turn:
            if self._alive is not None:
                return False
            by = await self._door.open(opener)
            alive = contextlib.AsyncExitStack()
            try:
                await alive.enter_async_context(self._make_alive(by))
            except BaseException:
                await self._door.lock()
                raise
            self._alive, self.vain, self.asked = alive, None, False
            log.info("the vault is open")
            return True

    async def _lock_as_asked(self) -> bool:
        await self._tries.end()
        was_open = await self._lock()
        self.asked = True
        return was_open

    async def _lock(self) -> bool:
        async with self._turn:
            alive, self._alive = self._alive, None
            if alive is None:
                return False
            self._door.refuse()
            try:
                await alive.aclose()
            finally:
                await self._door.lock()
            log.info("the vault is locked")
            return True

    async def _carry(self, change: Coroutine[Any, Any, T]) -> T:
        """To its end, also when who asked is gone."""
        task = asyncio.create_task(change, name="lock")
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)


def slot_of(secret: Secret) -> str:
    """The kind of slot that a person's secret opens."""
    return PASSPHRASE if isinstance(secret, Passphrase) else RECOVERY
