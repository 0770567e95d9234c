"""A backup as the service makes it: while others work, one at a time, and ended by a lock."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.backup_operations import PIECE_BYTES, BackupOperations
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from storage.errors import StorageFull
from storage.keys import RecoveryKey
from storage.ledger import Ledger
from storage.vault import Vault
from tests.storage.backing_up import furnish, make_vault, restored
from tests.storage.making import put


@pytest.fixture
def made(tmp_path: Path) -> tuple[Vault, RecoveryKey]:
    vault, key = make_vault(tmp_path / "vault")
    furnish(vault)
    vault.samples.write("large", [bytes(PIECE_BYTES)] * 6)
    return vault, key


@pytest.fixture
async def door(made: tuple[Vault, RecoveryKey]) -> AsyncIterator[VaultDoor]:
    door = VaultDoor(made[0])
    yield door
    await door.close()


async def events(door: VaultDoor) -> list[Any]:
    kept: list[Any] = await door.call(lambda vault: vault.ledger.events())
    return [event for event in kept if event["kind"] == "backup_made"]


async def test_it_holds_what_it_says_and_is_recorded_when_it_was_taken(
    door: VaultDoor, made: tuple[Vault, RecoveryKey], tmp_path: Path
) -> None:
    parts = BackupOperations(door).make()
    holds = await anext(parts)
    assert isinstance(holds, dict)
    pieces: list[bytes] = []
    async for part in parts:
        if isinstance(part, bytes):
            assert await events(door) == []
            pieces.append(part)
            await door.call(lambda vault: put(vault, f"meanwhile {len(pieces)}", "/meanwhile.md"))
        else:
            last = part["backup"]

    data = b"".join(pieces)
    assert holds["documents"] == last["documents"] == 20
    assert (last["bytes"], last["recorded"]) == (len(data), True)
    assert len(pieces) > 5
    facts = [event["facts"] for event in await events(door)]
    assert facts == [{"bytes": len(data), "documents": 20, "generation": holds["generation"]}]
    assert restored(data, tmp_path / "new", made[1]).documents == 20


async def test_one_is_made_at_a_time_and_one_that_is_given_up_makes_room(door: VaultDoor) -> None:
    backup = BackupOperations(door)
    first = backup.make()
    await anext(first)
    await anext(first)
    with pytest.raises(OperationError, match="already") as refused:
        await anext(backup.make())
    assert refused.value.code == "refused"

    await first.aclose()

    assert [part async for part in backup.make()]
    assert len(await events(door)) == 1


async def test_a_lock_ends_it_with_what_to_do(door: VaultDoor) -> None:
    parts = BackupOperations(door).make()
    await anext(parts)
    await anext(parts)

    await asyncio.wait_for(door.lock(), 15)

    with pytest.raises(OperationError, match="Unlock it and back up again") as ended:
        _ = [part async for part in parts]
    assert ended.value.code == "locked"
    with pytest.raises(OperationError) as locked:
        await anext(BackupOperations(door).make())
    assert locked.value.code == "locked"


async def test_a_vault_without_a_recovery_key_is_refused(
    door: VaultDoor, made: tuple[Vault, RecoveryKey]
) -> None:
    await door.call(lambda vault: vault.remove_slot("recovery", keepers=()))
    with pytest.raises(OperationError, match="nightloom key add recovery") as refused:
        await anext(BackupOperations(door).make())
    assert refused.value.code == "refused"


async def test_on_a_full_disk_it_is_made_and_not_recorded(
    door: VaultDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise StorageFull

    monkeypatch.setattr(Ledger, "append_event", full)
    parts = [part async for part in BackupOperations(door).make()]
    last = parts[-1]
    assert isinstance(last, dict)
    assert last["backup"]["recorded"] is False
