"""The accounts of the last windows, kept in the vault, so that little of them is ever lost.

Beside the nights' records, which tell of nights and not of windows without one.
"""

import asyncio
import logging

from daemon.errors import VaultIsLocked
from daemon.night_account import KEPT_ACCOUNTS, LOCKED, NOT_RUNNING, Account
from daemon.vault_door import Door
from storage.errors import RowDamaged, StorageError
from storage.vault import Vault

log = logging.getLogger("nightloom.night")

OPEN_AS, CLOSED_AS = "night_account", "night_accounts"


class NightAccounts:
    """Args: door: stays open for what a lock waits for."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._closed: tuple[Account, ...] = ()
        self._current: Account | None = None
        self._closed_changed = False
        self._saving: asyncio.Task[None] | None = None
        self._again = False

    @property
    def current(self) -> Account | None:
        """The one that grows."""
        return self._current

    @property
    def all(self) -> tuple[Account, ...]:
        return self._closed if self._current is None else (*self._closed, self._current)

    async def enter(self, there_since: float, now: float) -> None:
        """Take up what the vault keeps, with the time since then accounted for.

        Args:
            there_since: when the service began, or was locked; before it, it did not run.
        """

        def read(vault: Vault) -> tuple[object, object]:
            try:
                return vault.settings.get(OPEN_AS), vault.settings.get(CLOSED_AS)
            except RowDamaged:
                return None, None

        kept, closed = await self._door.call(read)
        try:
            self._closed = tuple(Account.from_json(one) for one in closed or ())  # type: ignore[attr-defined]
            self._current = None if kept is None else Account.from_json(kept)  # type: ignore[arg-type]
        except (TypeError, ValueError, KeyError):
            self._closed, self._current = (), None
        if self._current is not None and self._current.end is None:
            self.close()  # of a night that a person asked for; it ended with the service
        if self._current is not None and (end := self._current.end) is not None:
            was_gone = self._current.counted(min(there_since, end), NOT_RUNNING)
            self._current = was_gone.counted(min(now, end), LOCKED)

    def change(self, account: Account) -> None:
        """Not kept yet: see `keep`."""
        self._current = account

    def close(self) -> None:
        """The current one does not grow any more."""
        if self._current is not None:
            self._closed = (*self._closed, self._current)[-KEPT_ACCOUNTS:]
            self._current, self._closed_changed = None, True

    def keep(self) -> None:
        """Write down what there is now, in its own time."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save(), name="night account")
        else:
            self._again = True

    async def leave(self) -> None:
        """Write down what there is, and wait for it."""
        self.keep()
        assert self._saving is not None
        await asyncio.wait({self._saving})

    async def _save(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                await self._door.call(self._written())
            except (StorageError, VaultIsLocked) as error:
                log.error("the night's account could not be kept: %s", type(error).__name__)

    def _written(self) -> "_Written":
        current = None if self._current is None else self._current.to_json()
        closed = [one.to_json() for one in self._closed] if self._closed_changed else None
        self._closed_changed = False
        return _Written(current, closed)


class _Written:
    """What is written, as it was when it was asked for."""

    def __init__(self, current: object, closed: object) -> None:
        self._current = current
        self._closed = closed

    def __call__(self, vault: Vault) -> None:
        with vault.transaction():
            vault.settings.put(OPEN_AS, self._current)
            if self._closed is not None:
                vault.settings.put(CLOSED_AS, self._closed)
