"""When the vault's disk counts as full, and what `status` says of it."""

import logging
from pathlib import Path

import pytest

from daemon.disk_room import FULL_BELOW_BYTES, Room, read_room
from daemon.unlocked import _record
from daemon.vault_door import VaultDoor
from storage.errors import StorageFailing, StorageFull
from storage.ledger import Ledger
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE


def test_a_disk_is_full_when_an_adapter_would_not_fit() -> None:
    full, enough = Room(free_bytes=FULL_BELOW_BYTES - 1), Room(free_bytes=FULL_BELOW_BYTES)
    assert (full.is_full, enough.is_full) == (True, False)
    assert full.shown() == {"disk_full": True, "disk_free_bytes": FULL_BELOW_BYTES - 1}
    (warning,) = full.warnings()
    assert set(warning) == {"name", "value", "advice"}
    assert "Free some space" in warning["advice"]
    assert enough.warnings() == []


def test_a_disk_that_does_not_say_is_not_called_full() -> None:
    silent = Room(free_bytes=None)
    assert silent.shown() == {"disk_full": False, "disk_free_bytes": None}
    assert silent.warnings() == []


def test_a_folder_that_is_not_there_is_on_the_disk_of_the_nearest_one_above(tmp_path: Path) -> None:
    read = read_room(tmp_path / "not" / "there" / "vault")
    assert read.free_bytes is not None
    assert read.free_bytes > 0


@pytest.mark.parametrize("error", [StorageFull, StorageFailing])
async def test_a_full_disk_keeps_nobody_out_of_the_vault_and_nobody_in(
    error: type[Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    door = VaultDoor(vault)

    def full(*_: object) -> int:
        raise error

    caplog.set_level(logging.ERROR)
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append_event", full)
        await _record(door, "unlocked", {"slot": "passphrase"})
    assert "unlocked could not be recorded" in caplog.text
    await _record(door, "locked", {})
    events = await door.call(lambda vault: vault.ledger.events())
    assert [event["kind"] for event in events] == ["locked"]
    await door.close()
