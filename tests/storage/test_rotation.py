"""Rotation: new root, new epoch, everything still readable; killed anywhere, the vault opens."""

import dataclasses
import json
import threading
from pathlib import Path

import pytest

from storage.errors import StorageFull, VaultDamaged
from storage.keys import Passphrase, RecoveryKey, RootKey
from storage.records import DocumentState
from storage.rotation import Rotated
from storage.slots import SlotFile, authenticated, read_slots, recovery_slot, unlock, write_slots
from storage.vault import Vault
from storage.vault_keys import load_keys
from tests.storage.making import FAST, PASSPHRASE, publish, put, reopen, tampering, written
from tests.storage.test_crash import COMMIT, killed


def filled(vault: Vault) -> None:
    """Something in every table that has sealed cells or files."""
    vault.documents.put_many([written(f"text {n}", f"/{n}.md") for n in range(20)])
    put(vault, "text 3 again", "/3.md")
    publish(vault, b"weights" * 1000)
    vault.checkpoints.write("night", [b"half way"])
    vault.ledger.begin_night({"state": "done"})
    vault.ledger.append_event("unlocked", {})


def readable(vault: Vault) -> None:
    texts = {found.text for found in vault.documents.read_many((DocumentState.NEW,))}  # type: ignore[union-attr]
    assert texts == {f"text {n}" for n in range(20)} - {"text 3"} | {"text 3 again"}
    current = vault.shelf.current()
    assert current is not None
    assert vault.shelf.weights(current.sha256) == b"weights" * 1000
    assert vault.checkpoints.read("night") == b"half way"
    assert vault.ledger.night(1)["state"] == "done"
    assert vault.verify().intact


def roots_in(folder: Path) -> set[int]:
    file = read_slots(folder / "slots.json")
    assert {number for slot in file.slots for number in slot.roots} == set(file.macs)
    return set(file.macs)


def epochs_in(folder: Path) -> tuple[set[int], set[int]]:
    """Those that are there, and those that data keys are wrapped by."""
    with tampering(folder) as database:
        there = {row[0] for row in database.execute("SELECT id FROM epochs")}
        used = {row[0] for row in database.execute("SELECT DISTINCT epoch FROM data_keys")}
    return there, used


# --------------------------------------------------------------------------- what it does


def test_everything_is_readable_after_a_rotation_and_after_opening_again(
    vault: Vault, folder: Path
) -> None:
    filled(vault)

    rotated = vault.rotate()

    assert (rotated.root, rotated.epoch, rotated.damaged, rotated.dropped_slots) == (2, 2, 0, 0)
    readable(vault)
    put(vault, "text 3 again", "/3.md")  # no change
    vault.close()
    with reopen(folder) as again:
        readable(again)
        assert again.ledger.events()[-1]["facts"] == {"root": 2, "epoch": 2}
        assert again.rotate().root == 3
        readable(again)


def test_a_rotation_leaves_one_root_and_one_epoch(vault: Vault, folder: Path) -> None:
    filled(vault)

    rotated = vault.rotate()

    vault.close()
    assert roots_in(folder) == {2}
    assert epochs_in(folder) == ({2}, {2})
    with tampering(folder) as database:
        (keys,) = database.execute("SELECT count(*) FROM data_keys").fetchone()
    assert rotated.data_keys == keys


def test_both_secrets_open_the_new_root(folder: Path) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        vault.rotate()
    for secret in (Passphrase(text=PASSPHRASE), RecoveryKey.parse(printed)):
        with Vault.open(folder, secret) as again:
            assert again._database.keys.root.number == 2


def test_the_old_root_and_the_old_epoch_open_nothing_any_more(vault: Vault, folder: Path) -> None:
    put(vault, "a text")
    old = vault._database.keys

    vault.rotate()

    database = vault._database
    with pytest.raises(VaultDamaged):
        load_keys(database.database, {1: old.root}, old.vault_id)
    wrapped = database.fetch("SELECT id, epoch, wrapped FROM data_keys")
    assert wrapped
    assert {row[1] for row in wrapped}.isdisjoint(old.epochs)


def test_what_was_wrapped_by_the_old_epoch_is_in_no_file_any_more(
    vault: Vault, folder: Path
) -> None:
    filled(vault)
    before = [row[0] for row in vault._database.fetch("SELECT wrapped FROM data_keys")]
    before += [row[0] for row in vault._database.fetch("SELECT wrapped FROM epochs")]
    before += [row[0] for row in vault._database.fetch("SELECT wrapped FROM vault_keys")]

    vault.rotate()

    assert (folder / "vault.db-wal").stat().st_size == 0
    everything = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert not [wrapped for wrapped in before if wrapped in everything]


def test_progress_is_told_and_ends_at_the_end(vault: Vault) -> None:
    vault.documents.put_many([written(f"text {n}", f"/{n}.md") for n in range(50)])
    told: list[tuple[int, int]] = []

    rotated = vault.rotate(lambda done, total: told.append((done, total)))

    assert told[-1] == (rotated.data_keys, rotated.data_keys)


def test_hashes_and_tombstones_outlive_a_rotation(vault: Vault) -> None:
    put(vault, "a text")
    vault.rotate()
    assert put(vault, "a text").outcome == "unchanged"


def test_a_damaged_data_key_stays_damaged_and_stops_nothing(vault: Vault, folder: Path) -> None:
    put(vault, "one", "/1.md")
    put(vault, "two", "/2.md")
    vault.close()
    with tampering(folder) as database:
        database.execute("UPDATE data_keys SET wrapped = zeroblob(61) WHERE id = 1")
    with reopen(folder) as again:
        rotated = again.rotate()
        assert (rotated.damaged, rotated.data_keys) == (1, 2)
        assert again.documents.read(2).text == "two"
        assert [row.row_id for row in again.verify().damaged_rows] == [1]


def test_a_rotation_within_a_transaction_is_refused(vault: Vault) -> None:
    with pytest.raises(RuntimeError), vault.transaction():
        vault.rotate()
    put(vault, "a text")
    assert vault.verify().intact


def test_others_read_and_write_while_a_rotation_goes_on(vault: Vault) -> None:
    filled(vault)
    stop = threading.Event()
    failures: list[object] = []

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            put(vault, f"another {number}", f"/another/{number}.md")
            failures.extend(
                found
                for found in vault.documents.read_many((DocumentState.NEW,))
                if not hasattr(found, "text")
            )

    thread = threading.Thread(target=work)
    thread.start()
    rotated = [vault.rotate() for _ in range(5)]
    stop.set()
    thread.join()

    assert failures == []
    assert [one.root for one in rotated] == [2, 3, 4, 5, 6]
    assert vault.verify().intact


# --------------------------------------------------------------------------- slots from later


def with_later_slot(folder: Path, **changes: object) -> None:
    """As a later version would have left it: a slot of a kind that we do not know."""
    file = read_slots(folder / "slots.json")
    root = unlock(file, Passphrase(text=PASSPHRASE))[1]
    later = recovery_slot(RecoveryKey.generate(), root, vault_id=file.vault_id)
    later = dataclasses.replace(later, kind="moon", facts={"phase": 3}, **changes)  # type: ignore[arg-type]
    write_slots(
        folder / "slots.json", authenticated(file.vault_id, (*file.slots, later), {1: root})
    )


def test_a_slot_from_later_is_sealed_to_as_well(vault: Vault, folder: Path) -> None:
    vault.close()
    with_later_slot(folder)
    with reopen(folder) as again:
        assert again.rotate().dropped_slots == 0
    slot = read_slots(folder / "slots.json").slot("moon")
    assert set(slot.roots) == {2}
    assert slot.facts == {"phase": 3}


@pytest.mark.parametrize("public", [b"", b"short", bytes(32)])
def test_a_slot_from_later_that_no_root_can_go_to_is_dropped(
    vault: Vault, folder: Path, public: bytes
) -> None:
    vault.close()
    with_later_slot(folder, public=public)
    with reopen(folder) as again:
        assert again.rotate().dropped_slots == 1
    assert [slot.kind for slot in read_slots(folder / "slots.json").slots] == [
        "passphrase",
        "recovery",
    ]
    reopen(folder).close()


def test_a_slot_slipped_in_while_the_vault_is_open_gets_no_root(vault: Vault, folder: Path) -> None:
    file = read_slots(folder / "slots.json")
    mallory = dataclasses.replace(
        recovery_slot(RecoveryKey.generate(), RootKey.generate(1), vault_id=file.vault_id),
        kind="mallory",
    )
    slipped_in = dataclasses.replace(file, slots=(*file.slots, mallory))
    write_slots(folder / "slots.json", slipped_in)

    with pytest.raises(VaultDamaged, match="without the root key"):
        vault.rotate()
    assert vault._database.keys.root.number == 1


# --------------------------------------------------------------------------- cut off

MOMENTS = ["rotate:announced", "rotate:wrapped", *COMMIT, "rotate:finished"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_while_rotating_leaves_a_vault_that_opens_and_rotates(
    vault: Vault, folder: Path, moment: str
) -> None:
    filled(vault)
    vault.close()

    assert killed(folder, "rotate", moment) == []

    went_through = moment in ("commit:after", "witness:written", "rotate:finished")
    assert roots_in(folder) == ({2} if moment == "rotate:finished" else {1, 2})
    with reopen(folder) as again:
        assert again._database.keys.root.number == 1 + went_through
        assert not again.opening.witness_missing
        readable(again)
        assert roots_in(folder) == {1 + went_through}  # finished at the door
        assert [event["kind"] for event in again.ledger.events()][1:] == ["rotated"] * went_through
        assert again.rotate().root == 2 + went_through
        readable(again)
    assert roots_in(folder) == {2 + went_through}
    assert len(epochs_in(folder)[0]) == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_while_rotating_shuts_nobody_out(folder: Path, moment: str) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.close()
    assert killed(folder, "rotate", moment) == []
    with Vault.open(folder, RecoveryKey.parse(printed)) as again:
        assert again.verify().intact


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_error_at_any_moment_leaves_an_open_vault_that_works(
    vault: Vault, folder: Path, moment: str
) -> None:
    filled(vault)

    def fail(seen: str) -> None:
        if seen == moment:
            vault._database.observe = lambda _: None
            raise KeyboardInterrupt

    vault._database.observe = fail
    with pytest.raises(KeyboardInterrupt):
        vault.rotate()

    readable(vault)
    put(vault, "text 3 again", "/3.md")
    assert roots_in(folder) == {vault._database.keys.root.number}
    vault.rotate()
    readable(vault)


def test_a_full_disk_while_the_slots_are_written_changes_nothing(
    vault: Vault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(vault)

    def full(path: Path, file: SlotFile) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr("storage.slot_keeping.write_slots", full)
        with pytest.raises(StorageFull):
            vault.rotate()
    assert roots_in(folder) == {1}
    readable(vault)


def test_a_slot_file_that_still_leads_to_both_roots_can_be_changed(
    vault: Vault, folder: Path
) -> None:
    """The disk was full when the old root was to be taken away."""
    both = None

    def keep(moment: str) -> None:
        nonlocal both
        if moment == "rotate:announced":
            both = (folder / "slots.json").read_bytes()

    vault._database.observe = keep
    vault.rotate()
    assert both is not None
    assert json.loads(both)["macs"].keys() == {"1", "2"}
    (folder / "slots.json").write_bytes(both)

    vault.remove_slot("recovery", keepers=())

    assert roots_in(folder) == {2}
    vault.confirm(Passphrase(text=PASSPHRASE))


def test_what_a_rotation_tells_is_numbers() -> None:
    fields = {field.name: field.type for field in dataclasses.fields(Rotated)}
    assert set(fields.values()) <= {int, float}
