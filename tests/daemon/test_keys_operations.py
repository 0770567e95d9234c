"""What `admin.sock` does with slots, secrets and rotation, on a real vault."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.keys_operations import KeysOperations
from daemon.unattended_opening import OpenedVault
from daemon.vault_door import VaultDoor
from daemon.vault_lock import VaultLock
from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from storage.keys import Passphrase
from storage.locked_memory import Extent, LockedMemory
from storage.vault import Vault
from tests.daemon.keeping import WHY, MemoryKeeper
from tests.storage.making import FAST, PASSPHRASE

RIGHT = GivenSecret(kind="passphrase", text=PASSPHRASE)
WRONG = GivenSecret(kind="passphrase", text="not this")


class House:
    """A vault that is open, with a passphrase and a recovery key."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "vault"
        vault, self.recovery_key = Vault.create(self.folder, passphrase=PASSPHRASE, argon2=FAST)
        self.opened = OpenedVault(vault=vault, by="passphrase")
        self.keeper = MemoryKeeper()
        self.door = VaultDoor()
        self.lock = VaultLock(
            self.door,
            self.folder,
            alive=self._alive,
            watch=self._watch,
            keepers=lambda: [self.keeper],
        )
        self.keys = KeysOperations(
            lock=self.lock,
            vault=self.door,
            process=LockedMemory(extent=Extent.NOTHING, why="a test"),
            keepers=lambda: [self.keeper],
        )

    @asynccontextmanager
    async def _alive(self, by: str) -> AsyncIterator[None]:
        yield

    async def _watch(self, changed: object) -> None:
        await asyncio.Event().wait()

    async def kinds(self) -> list[str]:
        return [slot["kind"] for slot in await self.keys.slots()]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.lock.start(house.opened)
    yield house
    await house.lock.close()
    await house.door.close()


def refused(code: str, match: str) -> "pytest.RaisesExc[OperationError]":
    return pytest.RaisesExc(OperationError, match=match, check=lambda error: error.code == code)


async def test_a_slot_is_added_only_to_who_shows_a_secret_again(house: House) -> None:
    with refused("locked", "passphrase does not open"):
        await house.keys.add_slot("keyring", secret=WRONG, new_passphrase=None)
    assert await house.kinds() == ["passphrase", "recovery"]
    assert house.keeper.kept == {}

    await house.keys.add_slot("keyring", secret=RIGHT, new_passphrase=None)

    assert await house.kinds() == ["passphrase", "recovery", "keyring"]
    await house.keys.lock()
    assert await house.keys.unlock(None) == {"was_locked": True}


async def test_a_recovery_key_is_a_secret_too_and_a_mistyped_one_is_told(house: House) -> None:
    given = GivenSecret(kind="recovery_key", text=house.recovery_key)
    await house.keys.remove_slot("passphrase")
    await house.keys.add_slot("passphrase", secret=given, new_passphrase="ten green bottles")
    await house.keys.lock()
    with refused("locked", "mistyped"):
        await house.keys.unlock(GivenSecret(kind="recovery_key", text="ABC"))
    await house.keys.unlock(GivenSecret(kind="passphrase", text="ten green bottles"))


async def test_what_makes_no_sense_is_usage(house: House) -> None:
    with refused("usage", "slots of these kinds: passphrase, recovery"):
        await house.keys.add_slot("floppy", secret=RIGHT, new_passphrase=None)
    with refused("usage", "belongs to a passphrase slot"):
        await house.keys.add_slot("keyring", secret=RIGHT, new_passphrase="x y")
    with refused("usage", "belongs to a passphrase slot"):
        await house.keys.add_slot("passphrase", secret=RIGHT, new_passphrase=None)
    with refused("usage", "no keyring slot"):
        await house.keys.remove_slot("keyring")
    with refused("refused", "already"):
        await house.keys.add_slot("recovery", secret=RIGHT, new_passphrase=None)
    house.keeper.locked = True
    with refused("failed", WHY):
        await house.keys.add_slot("keyring", secret=RIGHT, new_passphrase=None)


async def test_the_last_slot_stays_and_removing_one_advises_to_rotate(house: House) -> None:
    answer = await house.keys.remove_slot("recovery")
    assert answer["left"] == ["passphrase"]
    assert "key rotate" in answer["advice"]
    with refused("refused", "last one"):
        await house.keys.remove_slot("passphrase")


async def test_rotation_needs_nobody_and_all_slots_open_afterwards(house: House) -> None:
    await house.keys.add_slot("keyring", secret=RIGHT, new_passphrase=None)
    lines = [line async for line in house.keys.rotate()]
    assert lines[-1]["rotated"]["root"] == 2
    assert all(line["done"] <= line["of"] for line in lines[:-1])
    assert lines[-2]["done"] == lines[-2]["of"]
    for secret in (None, RIGHT, GivenSecret(kind="recovery_key", text=house.recovery_key)):
        await house.keys.lock()
        await house.keys.unlock(secret)


async def test_one_rotation_at_a_time_and_who_leaves_leaves_it_at_work(house: House) -> None:
    held = threading.Event()
    blocking = asyncio.create_task(house.door.call(lambda _: held.wait()))
    first = house.keys.rotate()
    asking = asyncio.ensure_future(anext(first))
    while not (task := house.keys._rotating):  # noqa: ASYNC110 - it has begun
        await asyncio.sleep(0)
    with refused("refused", "rotated already"):
        await anext(house.keys.rotate())
    asking.cancel()
    await asyncio.wait({asking})
    held.set()
    await blocking
    assert (await task).root == 2


async def test_a_locked_vault_has_no_slots_to_show_or_change(house: House) -> None:
    await house.keys.lock()
    with refused("locked", "nightloom unlock"):
        await house.keys.slots()
    with refused("locked", "nightloom unlock"):
        await house.keys.add_slot("keyring", secret=RIGHT, new_passphrase=None)
    with refused("locked", "nightloom unlock"):
        await house.keys.remove_slot("recovery")
    with refused("locked", "nightloom unlock"):
        await anext(house.keys.rotate())
    why = house.keys.why_locked()
    assert why["asked"]
    assert [slot["kind"] for slot in why["slots"]] == ["passphrase", "recovery"]


async def test_the_audit_hears_of_what_was_done_to_the_slots(house: House) -> None:
    await house.keys.add_slot("keyring", secret=RIGHT, new_passphrase=None)
    await house.keys.remove_slot("keyring")
    async for _ in house.keys.rotate():
        pass
    await house.keys.lock()
    with Vault.open(house.folder, Passphrase(text=PASSPHRASE)) as vault:
        kinds = [event["kind"] for event in vault.ledger.events()]
    assert kinds == ["slot_added", "slot_removed", "rotated"]


def test_a_secret_that_was_given_shows_nothing_of_it() -> None:
    assert PASSPHRASE not in repr(RIGHT)
