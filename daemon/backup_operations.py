"""What the command line asks about the sealed backup as a stream, done.

Implements `ipc.backup_api.BackupBackend`. The vault stays in use meanwhile: its state is taken
once, and read and sealed in a thread of its own.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from daemon.operation_errors import said
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from storage.backup import BACKUP_MADE
from storage.errors import (
    BackupInterrupted,
    BackupNeedsRecoveryKey,
    StorageFailing,
    StorageFull,
)

log = logging.getLogger("nightloom.backup")

Json = dict[str, Any]

PIECE_BYTES = 1 << 20


class BackupOperations:
    """A part of `Operations`."""

    def __init__(self, vault: VaultDoor) -> None:
        self._vault = vault
        self._at_work = False

    async def make(self) -> AsyncGenerator[Json | bytes, None]:
        """One at a time. It is recorded in the vault once the whole of it was taken."""
        if self._at_work:
            raise OperationError("refused", "A backup is being made already; wait for its end.")
        self._at_work = True
        try:
            with said(), _codes():
                async for some in self._make():
                    yield some
        finally:
            self._at_work = False

    async def _make(self) -> AsyncGenerator[Json | bytes, None]:
        backup = await self._vault.call(lambda vault: vault.backup())
        try:
            facts = dataclasses.asdict(backup.facts)
            yield facts
            pieces, size = _pieces(backup.chunks()), 0
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                size += len(piece)
                yield piece
        finally:
            # Not on the event loop: it may have to wait for who uses the vault.
            await asyncio.shield(asyncio.to_thread(backup.close))
        made = {"bytes": size, "documents": facts["documents"], "generation": facts["generation"]}
        yield {"backup": facts | made | {"recorded": await self._record(made)}}

    async def _record(self, made: Json) -> bool:
        """Not on a full disk, which is a good reason for a backup."""
        try:
            await self._vault.call(lambda vault: vault.ledger.append_event(BACKUP_MADE, made))
        except (StorageFull, StorageFailing) as error:
            log.error("a backup could not be recorded: %s", type(error).__name__)
            return False
        return True


@contextlib.contextmanager
def _codes() -> Iterator[None]:
    """What is no failure of ours."""
    try:
        yield
    except BackupInterrupted as error:
        raise OperationError("locked", str(error)) from error
    except BackupNeedsRecoveryKey as error:
        raise OperationError("refused", str(error)) from error


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Larger ones: each costs a change of threads."""
    waiting, size = [], 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
