"""Opening and locking while the service runs: real vaults, one change at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.errors import AttemptTooSoon, NothingOpens, TooManyAttempts, VaultIsLocked
from daemon.unattended_opening import InVain, OpenedVault, open_unattended
from daemon.unattended_tries import FIRST_WAIT_SECONDS, LEAST_WAIT_SECONDS
from daemon.unlock_attempts import MOST_WAITING, Attempts
from daemon.vault_door import VaultDoor
from daemon.vault_lock import VaultLock
from storage.errors import RolledBack, VaultMissing, WrongSecret
from storage.keys import Passphrase, RecoveryKey
from storage.vault import Vault
from tests.daemon.collecting.parts import HandClock
from tests.daemon.keeping import WHY, MemoryKeeper
from tests.storage.making import FAST, PASSPHRASE

RIGHT, WRONG = Passphrase(text=PASSPHRASE), Passphrase(text="not this")


class House:
    """A vault with a passphrase, a recovery key and a keyring, and the lock of its door."""

    def __init__(self, root: Path) -> None:
        self.keeper = MemoryKeeper()
        self.folder = root / "vault"
        vault, self.recovery_key = Vault.create(
            self.folder, passphrase=PASSPHRASE, keeper=self.keeper, argon2=FAST
        )
        vault.close()
        self.clock = HandClock()
        self.time = 0.0
        self.changed: Callable[[], None] | None = None  # there once somebody watches
        self.lived: list[str] = []
        self.breaks = False
        self.door = VaultDoor()
        self.lock = VaultLock(
            self.door,
            self.folder,
            alive=self._alive,
            watch=self._watch,
            attempts=Attempts(lambda: self.time),
            keepers=lambda: [self.keeper],
            clock=self.clock,
        )

    async def start(self) -> None:
        await self.lock.start(open_unattended(self.folder, [self.keeper]))

    @asynccontextmanager
    async def _alive(self, by: str) -> AsyncIterator[None]:
        if self.breaks:
            raise OSError("no watches left")
        self.lived.append(f"opened by {by}")
        try:
            yield
        finally:
            assert not self.door.is_open, "clients are refused before anything ends"
            await self.door.inner.call(lambda vault: vault.sources.list())  # what has to be saved
            self.lived.append("ended")

    async def _watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        await asyncio.Event().wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)

    async def the_keyring_changes_until(self, holds: Callable[[], bool]) -> None:
        """Time goes on meanwhile: two tries have a second between them."""
        await self.until(lambda: self.changed is not None)
        assert self.changed is not None
        while not holds():
            self.changed()
            self.clock.advance(LEAST_WAIT_SECONDS)
            await asyncio.sleep(0.001)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.lock.close()
    await house.door.close()


@pytest.fixture
async def locked(house: House) -> House:
    """Nothing opened it, and nobody locked it."""
    house.keeper.locked = True
    await house.start()
    return house


# --------------------------------------------------------------------------- opening


async def test_it_starts_open_where_a_slot_opens_by_itself(house: House) -> None:
    await house.start()
    assert house.lock.is_open
    assert house.lived == ["opened by keyring"]
    assert not house.lock.tries_again


async def test_it_starts_locked_where_none_does_and_says_why_for_each_slot(locked: House) -> None:
    assert not locked.lock.is_open
    assert locked.lock.tries_again
    assert not locked.lock.asked
    assert locked.lock.shown_slots() == [
        {"kind": "passphrase", "unattended": False, "problem": "it needs you"},
        {"kind": "recovery", "unattended": False, "problem": "it needs you"},
        {"kind": "keyring", "unattended": True, "problem": WHY},
    ]
    with pytest.raises(VaultIsLocked):
        await locked.door.call(lambda vault: vault.sources.list())


async def test_a_keeper_that_holds_another_vaults_key_is_told_as_such(house: House) -> None:
    house.keeper.kept = dict.fromkeys(house.keeper.kept, bytes(range(32)))
    vain = open_unattended(house.folder, [house.keeper])
    assert isinstance(vain, InVain)
    assert vain.reasons == {"keyring": "it holds no key of this vault"}


async def test_a_missing_or_rolled_back_vault_is_an_error_and_not_locked(house: House) -> None:
    with pytest.raises(VaultMissing):
        open_unattended(house.folder.parent / "none", [house.keeper])
    old = (house.folder / "vault.db").read_bytes()
    with Vault.open(house.folder, RIGHT) as vault:
        vault.ledger.append_event("later", {})
    for part in house.folder.glob("vault.db*"):
        part.unlink()
    (house.folder / "vault.db").write_bytes(old)
    with pytest.raises(RolledBack):
        open_unattended(house.folder, [house.keeper])


async def test_a_passphrase_or_the_recovery_key_opens_it(locked: House) -> None:
    assert await locked.lock.unlock(RIGHT)
    assert not await locked.lock.unlock(WRONG), "it is open already; nothing is tried"
    await locked.lock.lock()
    assert await locked.lock.unlock(RecoveryKey.parse(locked.recovery_key))
    assert locked.lived == ["opened by passphrase", "ended", "opened by recovery"]
    assert not locked.lock.tries_again


async def test_without_a_secret_the_slots_that_need_nobody_are_tried(locked: House) -> None:
    with pytest.raises(NothingOpens, match="keyring: it is locked for the test"):
        await locked.lock.unlock(None)
    locked.keeper.locked = False
    assert await locked.lock.unlock(None)
    assert locked.lived == ["opened by keyring"]


async def test_it_is_tried_again_later_and_when_the_keyring_changed(locked: House) -> None:
    tried = locked.keeper.fetches
    await locked.the_keyring_changes_until(lambda: locked.keeper.fetches > tried)
    assert not locked.lock.is_open

    locked.keeper.locked = False
    await locked.the_keyring_changes_until(lambda: locked.lock.is_open)
    await locked.until(lambda: not locked.lock.tries_again)


async def test_it_is_tried_again_after_a_while(locked: House) -> None:
    locked.keeper.locked = False
    while not locked.lock.is_open:
        locked.clock.advance(FIRST_WAIT_SECONDS)
        await asyncio.sleep(0.001)


async def test_whoever_hangs_up_leaves_the_change_to_its_end(locked: House) -> None:
    asking = asyncio.create_task(locked.lock.unlock(RIGHT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    await locked.until(lambda: locked.lived == ["opened by passphrase"])
    assert await locked.lock.lock()


async def test_parts_that_do_not_come_to_life_leave_the_vault_locked(locked: House) -> None:
    locked.breaks = True
    with pytest.raises(OSError, match="watches"):
        await locked.lock.unlock(RIGHT)
    assert not locked.lock.is_open
    locked.breaks = False
    assert await locked.lock.unlock(RIGHT)


# --------------------------------------------------------------------------- locking


async def test_locking_ends_what_was_alive_and_stays_until_somebody_opens_it(
    house: House,
) -> None:
    await house.start()
    assert await house.lock.lock()
    assert not await house.lock.lock()
    assert house.lived == ["opened by keyring", "ended"]
    assert house.lock.asked
    assert not house.lock.tries_again
    with Vault.open(house.folder, RIGHT) as vault:  # others can have it meanwhile
        assert vault.verify().intact

    assert await house.lock.unlock(None)
    assert not house.lock.asked


async def test_locking_a_locked_one_ends_the_tries(locked: House) -> None:
    assert not await locked.lock.lock()
    assert locked.lock.asked
    assert not locked.lock.tries_again


async def test_who_locks_while_another_unlocks_has_the_last_word(locked: House) -> None:
    opening = asyncio.create_task(locked.lock.unlock(RIGHT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await locked.lock.lock()
    assert await opening
    assert not locked.lock.is_open
    assert locked.lock.asked


async def test_many_who_lock_and_unlock_at_once_leave_it_whole(house: House) -> None:
    await house.start()
    await asyncio.gather(
        *(house.lock.lock() for _ in range(5)), *(house.lock.unlock(None) for _ in range(5))
    )
    if not house.lock.is_open:
        await house.lock.unlock(None)
    assert await house.door.call(lambda vault: vault.verify().intact)


# --------------------------------------------------------------------------- attempts


async def test_many_wrong_secrets_at_once_are_tried_one_by_one_or_refused(locked: House) -> None:
    asked = [locked.lock.unlock(WRONG) for _ in range(12)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    kinds = [type(error) for error in ended]
    assert kinds.count(TooManyAttempts) == 12 - MOST_WAITING
    assert kinds.count(WrongSecret) + kinds.count(AttemptTooSoon) == MOST_WAITING
    assert not locked.lock.is_open


async def test_after_wrong_secrets_the_right_one_has_to_wait_too_and_others_do_not(
    locked: House,
) -> None:
    for _ in range(3):
        with pytest.raises(WrongSecret):
            await locked.lock.unlock(WRONG)
    with pytest.raises(AttemptTooSoon):
        await locked.lock.unlock(RIGHT)
    assert locked.lock.shown_slots()
    locked.time += 1.0
    assert await locked.lock.unlock(RIGHT)


async def test_a_secret_that_is_asked_for_again_counts_like_any_other(house: House) -> None:
    await house.start()
    await house.lock.confirm(RIGHT)
    for _ in range(3):
        with pytest.raises(WrongSecret):
            await house.lock.confirm(WRONG)
    with pytest.raises(AttemptTooSoon):
        await house.lock.confirm(RIGHT)


def test_what_holds_a_vault_shows_nothing_of_it(tmp_path: Path) -> None:
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        assert repr(OpenedVault(vault=vault, by="passphrase")) == "OpenedVault(by='passphrase')"
