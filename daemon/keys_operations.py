"""What the command line asks about the key slots, unlocking and locking, rotation, done.

Implements `ipc.keys_api.KeysBackend`. Secrets are held for as long as it takes to try them.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict
from typing import Any

from daemon.errors import VaultIsLocked
from daemon.operation_errors import said
from daemon.vault_door import VaultDoor
from daemon.vault_lock import VaultLock
from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from storage.errors import NoSuchSlot
from storage.keys import Passphrase, RecoveryKey, Secret
from storage.locked_memory import LockedMemory, together
from storage.rotation import Rotated
from storage.slots import KNOWN, PASSPHRASE, RECOVERY
from storage.unattended import Keeper, keepers
from storage.vault import Vault

Json = dict[str, Any]

ROTATE_TOO = (
    "An old copy of slots.json (a backup, a snapshot) together with what that slot takes still "
    "opens the vault's present root; `nightloom key rotate` ends that."
)


def secret_of(given: GivenSecret) -> Secret:
    """Raises `EmptyPassphrase`, `RecoveryKeyMistyped`."""
    if given.kind == "passphrase":
        return Passphrase(text=given.text)
    return RecoveryKey.parse(given.text)


class KeysOperations:
    """A part of `Operations`.

    Args:
        lock: opens and locks the vault.
        vault: whose slots they are.
        process: how much of this process's memory is kept out of swap.
        keepers: what can hold the key of an unattended slot here.
    """

    def __init__(
        self,
        *,
        lock: VaultLock,
        vault: VaultDoor,
        process: LockedMemory,
        keepers: Callable[[], Sequence[Keeper]] = keepers,
    ) -> None:
        self._lock = lock
        self._vault = vault
        self._process = process
        self._keepers = keepers
        self._rotating: asyncio.Task[Rotated] | None = None

    # ------------------------------------------------------------------- locked and open

    def why_locked(self) -> Json:
        """For `status`; needs no key."""
        vain = self._lock.vain
        return {
            "asked": self._lock.asked,
            "tries_again": self._lock.tries_again,
            "sentence": None if vain is None else vain.sentence,
            "slots": self._lock.shown_slots(),
        }

    async def out_of_swap(self) -> Json:
        """For `status`: what is kept out of swap, and what is in the way of more."""
        keys: LockedMemory | None = None
        with contextlib.suppress(VaultIsLocked):
            keys = await self._vault.call(lambda vault: vault.memory)
        return asdict(together(self._process, keys))

    async def unlock(self, secret: GivenSecret | None) -> Json:
        with said():
            was_locked = await self._lock.unlock(None if secret is None else secret_of(secret))
        return {"was_locked": was_locked}

    async def lock(self) -> Json:
        with said():
            return {"was_open": await self._lock.lock()}

    # ------------------------------------------------------------------- slots

    async def slots(self) -> list[Json]:
        with said():
            return [asdict(slot) for slot in await self._vault.call(lambda vault: vault.slots())]

    async def add_slot(self, kind: str, *, secret: GivenSecret, new_passphrase: str | None) -> Json:
        """A slot that is there already is refused before the secret is tried."""
        if kind not in KNOWN:
            raise OperationError("usage", f"There are slots of these kinds: {', '.join(KNOWN)}.")
        if (kind == PASSPHRASE) != (new_passphrase is not None):
            raise OperationError("usage", "A new passphrase belongs to a passphrase slot.")
        with said():
            self._vault.check()
            await self._lock.confirm(secret_of(secret))
            printed = await self._vault.call(lambda vault: self._add(vault, kind, new_passphrase))
        return {"kind": kind, "recovery_key": printed}

    def _add(self, vault: Vault, kind: str, new_passphrase: str | None) -> str | None:
        """In the vault's thread."""
        if kind == RECOVERY:
            return vault.add_recovery_slot()
        if new_passphrase is not None:
            vault.add_passphrase_slot(new_passphrase)
        else:
            vault.add_kept_slot(next(one for one in self._keepers() if one.kind == kind))
        return None

    async def remove_slot(self, kind: str) -> Json:
        """Needs no secret: it gives nobody a way in, and whoever may ask could delete it all."""
        with said():
            try:
                await self._vault.call(lambda vault: vault.remove_slot(kind, self._keepers()))
            except NoSuchSlot as error:
                raise OperationError("usage", str(error)) from error
            left = await self._vault.call(lambda vault: vault.slots())
        return {"kind": kind, "left": [slot.kind for slot in left], "advice": ROTATE_TOO}

    # ------------------------------------------------------------------- rotation

    async def rotate(self) -> AsyncGenerator[Json, None]:
        """Progress, and last what was done; one rotation at a time, carried to its end."""
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[Json | None]()

        def tell(done: int, of: int) -> None:  # on the vault's thread
            loop.call_soon_threadsafe(lines.put_nowait, {"done": done, "of": of})

        with said():
            self._vault.check()
            if self._rotating is not None and not self._rotating.done():
                raise OperationError("refused", "The keys are being rotated already.")
            rotating = asyncio.create_task(
                self._vault.call(lambda vault: vault.rotate(tell)), name="rotation"
            )
            self._rotating = rotating
            rotating.add_done_callback(lambda _: lines.put_nowait(None))
            while (line := await lines.get()) is not None:
                yield line
            yield {"rotated": asdict(rotating.result())}
