"""A service whose disk is full refuses clearly, loses nothing, and goes on when there is room."""

import json
from collections.abc import Iterator

import pytest

from ipc.errors import OperationError
from storage.vault import Vault
from tests.pipeline.living import PASSPHRASE, QUICK, Nightloom, until
from tests.pipeline.story import CONFIGURATION
from tests.storage.full_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

DISK_BYTES = 48 << 20


@pytest.fixture
def disk(place: Nightloom) -> Iterator[SmallDisk]:
    """The home is on a small disk; the notes are elsewhere."""
    with small_disk(place.home_folder, DISK_BYTES) as disk:
        yield disk
        place.close()


def test_collecting_waits_for_room_and_goes_on(place: Nightloom, disk: SmallDisk) -> None:
    place.configure(CONFIGURATION)
    Vault.create(place.home.vault, passphrase=PASSPHRASE, argon2=QUICK)[0].close()
    for number in range(10):
        place.write(f"{number}.md", f"A heron stood at mile {number}.\n" * 50)
    place.start()
    place.add_source(name="letters")
    status = place.admin.status()
    assert (status["documents"], status["disk_full"]) == (10, False)

    disk.fill()
    for number in range(10):
        place.write(f"late-{number}.md", f"Another heron, at mile {number}.\n" * 3000)
    with pytest.raises(OperationError, match="The disk is full") as refused:
        place.admin.rescan()
    assert refused.value.code == "failed"
    status = place.admin.status()
    assert (status["documents"], status["disk_full"]) == (10, True)
    assert "disk is full" in str(place.admin.sources()[0]["last_error"])
    shown = place.run("status")
    assert shown.exit_code == 0
    assert "disk: full" in shown.stdout
    backup = place.root / "vault.backup"
    made = place.run("backup", str(backup), "--json")
    assert made.exit_code == 0, made.stderr
    answer = json.loads(made.stdout)
    assert (answer["documents"], answer["recorded"]) == (10, False)
    assert backup.stat().st_size == answer["bytes"]

    disk.give_back()
    place.admin.rescan()
    status = place.admin.status()
    assert (status["documents"], status["disk_full"]) == (20, False)
    assert place.admin.sources()[0]["last_error"] is None
    assert place.terminate() == 0
    with place.open_vault() as vault:
        assert vault.verify().intact


def test_a_service_starts_and_ends_on_a_full_disk(place: Nightloom, disk: SmallDisk) -> None:
    place.configure(CONFIGURATION)
    Vault.create(place.home.vault, passphrase=PASSPHRASE, argon2=QUICK)[0].close()
    place.write("one.md", "A heron stood at mile one.\n" * 50)
    place.start()
    place.add_source(name="letters")
    assert place.terminate() == 0

    disk.fill(leave_bytes=64 << 10)  # SQLite's index of its log needs 32 KiB
    place.start()
    assert place.admin.status()["documents"] == 1
    disk.fill()
    assert place.terminate() == 0
    disk.give_back()
    place.start()
    until(lambda: place.admin.sources()[0]["last_scan_at"] is not None)
    assert place.admin.status()["documents"] == 1
    assert place.terminate() == 0
    with place.open_vault() as vault:
        assert vault.verify().intact
