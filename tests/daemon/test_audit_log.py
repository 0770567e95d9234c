"""Who asked is counted in memory and written as one event, into a real vault."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.audit_log import MOST_LINES, AuditLog
from daemon.unattended_opening import OpenedVault
from daemon.vault_door import VaultDoor
from ipc.asking import Asked
from ipc.peer import Peer
from storage.keys import Argon2Parameters, Passphrase
from storage.vault import Vault

QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
EDITOR = Peer(program="editor", pid=41, uid=1000)


def asked(what: str = "base", peer: Peer = EDITOR, tokens: int = 0) -> Asked:
    return Asked(socket="api", peer=peer, what=what, tokens=tokens)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[VaultDoor]:
    vault, _ = Vault.create(tmp_path / "vault", passphrase="larks", argon2=QUICK)
    door = VaultDoor(vault)
    yield door
    await door.close()


async def written(door: VaultDoor) -> list[list[dict[str, Any]]]:
    events = await door.call(lambda vault: vault.ledger.events())
    return [one["facts"]["requests"] for one in events if one["kind"] == "asked"]


async def test_many_requests_are_one_event_with_a_line_for_each_program(door: VaultDoor) -> None:
    log = AuditLog(door.inner, clock=iter(range(100)).__next__)
    for _ in range(3):
        log.asked(asked(tokens=7))
    log.asked(asked(peer=Peer(program="editor", pid=42, uid=1000)))
    log.asked(asked(what="personal@ab"))
    await log.write()
    [[first, second]] = await written(door)
    assert first == {
        "socket": "api",
        "program": "editor",
        "uid": 1000,
        "what": "base",
        "pids": [41, 42],
        "requests": 4,
        "tokens": 21,
        "first_at": 0,
        "last_at": 3,
    }
    assert (second["what"], second["requests"]) == ("personal@ab", 1)


async def test_without_requests_there_is_neither_a_timer_nor_an_event(door: VaultDoor) -> None:
    log = AuditLog(door.inner)
    assert not log.waits
    await log.write()
    assert not log.waits
    assert await written(door) == []


async def test_the_first_request_sets_a_timer_that_writes_and_ends(door: VaultDoor) -> None:
    log = AuditLog(door.inner, write_seconds=0.01)
    log.asked(asked())
    assert log.waits
    while not await written(door):
        pass  # each look waits for the vault's thread
    assert not log.waits


async def test_while_the_vault_is_locked_the_counts_wait(door: VaultDoor, tmp_path: Path) -> None:
    log = AuditLog(door.inner)
    log.asked(asked())
    await door.lock()
    await log.write()
    assert log.waits
    log.asked(asked())
    await door.open(lambda: _opened(tmp_path / "vault"))
    await log.write()
    [[line]] = await written(door)
    assert line["requests"] == 2
    assert not log.waits


def _opened(folder: Path) -> OpenedVault:
    return OpenedVault(vault=Vault.open(folder, Passphrase(text="larks")), by="passphrase")


async def test_a_program_with_many_names_takes_no_more_room(door: VaultDoor) -> None:
    log = AuditLog(door.inner)
    for number in range(MOST_LINES + 50):
        log.asked(asked(peer=Peer(program=f"p{number}", pid=number, uid=1000)))
    await log.write()
    [lines] = await written(door)
    assert len(lines) == MOST_LINES + 1
    assert sum(line["requests"] for line in lines) == MOST_LINES + 50


async def test_stopping_takes_the_timer_away(door: VaultDoor) -> None:
    log = AuditLog(door.inner)
    log.asked(asked())
    log.stop()
    assert not log.waits
