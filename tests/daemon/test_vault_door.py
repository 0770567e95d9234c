"""The vault from asyncio: in order, off the loop, and shut when it is locked."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.errors import VaultIsLocked
from daemon.unattended_opening import OpenedVault
from daemon.vault_door import VaultDoor
from storage.errors import VaultBusy, WrongSecret
from storage.keys import Passphrase
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    vault.close()
    return tmp_path / "vault"


def opener(folder: Path, passphrase: str = PASSPHRASE) -> OpenedVault:
    vault = Vault.open(folder, Passphrase(text=passphrase))
    return OpenedVault(vault=vault, by="passphrase")


@pytest.fixture
async def door(folder: Path) -> AsyncIterator[VaultDoor]:
    door = VaultDoor()
    await door.open(lambda: opener(folder))
    yield door
    await door.close()


def numbered(number: int, _vault: Vault) -> tuple[int, int]:
    return number, threading.get_ident()


async def test_calls_are_answered_in_order_and_off_the_loop(door: VaultDoor) -> None:
    answers = await asyncio.gather(*(door.call(functools.partial(numbered, n)) for n in range(5)))
    assert [n for n, _ in answers] == list(range(5))
    assert len({thread for _, thread in answers}) == 1
    assert threading.get_ident() not in {thread for _, thread in answers}


async def test_a_locked_door_says_so_and_the_vault_is_free_for_others(
    door: VaultDoor, folder: Path
) -> None:
    with pytest.raises(VaultBusy):
        opener(folder)

    await door.lock()

    assert not door.is_open
    with pytest.raises(VaultIsLocked, match="nightloom unlock"):
        await door.call(lambda vault: vault.documents.counts())
    with pytest.raises(VaultIsLocked):
        door.check()
    with pytest.raises(VaultIsLocked):
        await door.inner.call(lambda vault: vault.documents.counts())
    opener(folder).vault.close()


async def test_it_can_be_opened_again(door: VaultDoor, folder: Path) -> None:
    await door.lock()
    assert await door.open(lambda: opener(folder)) == "passphrase"
    assert await door.call(lambda vault: vault.sources.list()) == []


async def test_what_was_begun_is_carried_to_its_end_before_it_locks(door: VaultDoor) -> None:
    held, done = threading.Event(), []

    def slow(vault: Vault) -> None:
        held.wait()
        done.append(vault.ledger.append_event("finished", {}))

    call = asyncio.create_task(door.call(slow))
    await asyncio.sleep(0)
    locking = asyncio.create_task(door.lock())
    await asyncio.sleep(0)
    with pytest.raises(VaultIsLocked):
        await door.call(lambda vault: vault.sources.list())
    held.set()
    await asyncio.gather(call, locking)
    assert len(done) == 1


async def test_the_inner_door_stays_open_until_the_vault_is_closed(door: VaultDoor) -> None:
    door.refuse()
    with pytest.raises(VaultIsLocked):
        await door.call(lambda vault: vault.sources.list())
    assert await door.inner.call(lambda vault: vault.sources.list()) == []


async def test_a_door_that_does_not_open_stays_locked(door: VaultDoor, folder: Path) -> None:
    await door.lock()
    with pytest.raises(WrongSecret):
        await door.open(lambda: opener(folder, "not this"))
    assert not door.is_open


async def test_locking_what_is_locked_is_no_mistake(door: VaultDoor) -> None:
    await door.lock()
    await door.lock()
    await VaultDoor().lock()
