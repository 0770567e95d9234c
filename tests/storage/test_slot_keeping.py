"""Slots of an open vault: what each is worth, adding, removing, confirming, hostile slot files."""

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.errors import (
    EmptyPassphrase,
    KeeperUnavailable,
    LastSlot,
    NoSlotOpens,
    NoSuchSlot,
    SlotExists,
    StorageFull,
    VaultDamaged,
    WrongSecret,
)
from storage.keys import Passphrase, RecoveryKey
from storage.slot_keeping import ONLY_THIS_MACHINE, slot_facts
from storage.slots import KNOWN, SlotFile, read_slots
from storage.unattended import KeptKey, keepers
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, reopen
from tests.storage.test_crash import killed


class Drawer:
    """A keeper that is a drawer in this process: what it is given, it keeps."""

    def __init__(self, kind: str = "keyring") -> None:
        self.kind = kind
        self.kept: dict[bytes, bytes] = {}
        self.jammed = False

    def problem(self) -> str | None:
        return "the drawer is jammed" if self.jammed else None

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        self._pull()
        self.kept[vault_id] = private
        return {"drawer": 1}

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        self._pull()
        assert facts == {"drawer": 1}
        return self.kept[vault_id]

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        self._pull()
        self.kept.pop(vault_id, None)

    def _pull(self) -> None:
        if self.jammed:
            raise KeeperUnavailable(keeper=self.kind, why="the drawer is jammed")


@pytest.fixture
def drawer() -> Drawer:
    return Drawer("systemd-creds")


def kinds(vault: Vault) -> list[str]:
    return [slot.kind for slot in vault.slots()]


def event_kinds(vault: Vault) -> list[tuple[str, object]]:
    return [(event["kind"], event["facts"].get("slot")) for event in vault.ledger.events()]


# --------------------------------------------------------------------------- what they are worth


def test_every_kind_says_which_attacker_it_stops_and_which_not() -> None:
    for facts in slot_facts(KNOWN):
        assert facts.stops
        assert facts.does_not_stop
        assert "does not know" not in facts.stops
        assert facts.unattended == (facts.kind in ("keyring", "systemd-creds"))
        assert facts.warning is None


def test_a_vault_that_only_this_machine_opens_says_so() -> None:
    assert [facts.warning for facts in slot_facts(["keyring"])] == [ONLY_THIS_MACHINE]
    assert [facts.warning for facts in slot_facts(["keyring", "recovery"])] == [None, None]


def test_a_kind_from_later_is_named_and_nothing_is_claimed_of_it() -> None:
    (facts,) = slot_facts(["moon"])
    assert not facts.unattended
    assert facts.stops == "this version of nightloom does not know"


# --------------------------------------------------------------------------- adding and removing


def test_a_kept_slot_opens_unattended_and_after_a_rotation_too(
    vault: Vault, folder: Path, drawer: Drawer
) -> None:
    vault.add_kept_slot(drawer)
    vault.rotate()
    assert kinds(vault) == ["passphrase", "recovery", "systemd-creds"]
    vault.close()

    with Vault.open_unattended(folder, [drawer]) as again:
        assert again.verify().intact


def test_a_recovery_key_that_was_replaced_opens_no_more_and_the_new_one_does(
    folder: Path,
) -> None:
    vault, old = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        vault.remove_slot("recovery", [])
        new = vault.add_recovery_slot()
        assert event_kinds(vault) == [("slot_removed", "recovery"), ("slot_added", "recovery")]

    with pytest.raises(WrongSecret):
        Vault.open(folder, RecoveryKey.parse(old))
    Vault.open(folder, RecoveryKey.parse(new)).close()


def test_a_passphrase_can_be_changed(vault: Vault, folder: Path) -> None:
    vault.remove_slot("passphrase", [])
    vault.add_passphrase_slot("eight brown teapots", argon2=FAST)
    vault.close()

    with pytest.raises(WrongSecret):
        reopen(folder)
    Vault.open(folder, Passphrase(text="eight brown teapots")).close()


def test_a_second_slot_of_a_kind_is_refused(vault: Vault, drawer: Drawer) -> None:
    vault.add_kept_slot(drawer)
    with pytest.raises(SlotExists, match="passphrase slot already"):
        vault.add_passphrase_slot("another", argon2=FAST)
    with pytest.raises(SlotExists, match="recovery key slot already"):
        vault.add_recovery_slot()
    with pytest.raises(SlotExists):
        vault.add_kept_slot(drawer)


def test_many_who_add_the_same_slot_at_once_add_one(vault: Vault) -> None:
    vault.remove_slot("passphrase", [])
    outcomes: list[bool] = []

    def add() -> None:
        try:
            vault.add_passphrase_slot(PASSPHRASE, argon2=FAST)
            outcomes.append(True)
        except SlotExists:
            outcomes.append(False)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False] * 7 + [True]
    assert kinds(vault) == ["recovery", "passphrase"]


def test_the_last_slot_stays(vault: Vault, folder: Path) -> None:
    vault.remove_slot("recovery", [])
    with pytest.raises(LastSlot, match="passphrase slot is the last one"):
        vault.remove_slot("passphrase", [])
    vault.close()
    reopen(folder).close()


def test_a_slot_that_is_not_there_cannot_be_removed(vault: Vault) -> None:
    with pytest.raises(NoSuchSlot):
        vault.remove_slot("keyring", [])


def test_a_slot_whose_keeper_is_out_of_reach_can_be_removed(
    vault: Vault, folder: Path, drawer: Drawer
) -> None:
    vault.add_kept_slot(drawer)
    drawer.jammed = True

    vault.remove_slot("systemd-creds", [drawer])

    vault.close()
    drawer.jammed = False
    with pytest.raises(NoSlotOpens):
        Vault.open_unattended(folder, [drawer])


def test_a_keeper_that_refuses_leaves_the_slots_as_they_were(
    vault: Vault, folder: Path, drawer: Drawer
) -> None:
    before = (folder / "slots.json").read_bytes()
    drawer.jammed = True

    with pytest.raises(KeeperUnavailable, match="the drawer is jammed"):
        vault.add_kept_slot(drawer)

    assert (folder / "slots.json").read_bytes() == before
    assert vault.ledger.events() == []


class RotatingDrawer(Drawer):
    """While it keeps, a rotation goes on elsewhere."""

    def __init__(self, vault: Vault) -> None:
        super().__init__()
        self._vault = vault

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        thread = threading.Thread(target=self._vault.rotate)
        thread.start()
        thread.join()
        return super().keep(vault_id, private)


def test_a_rotation_while_a_slot_is_added_leaves_no_slot_behind(vault: Vault, folder: Path) -> None:
    keeper = RotatingDrawer(vault)
    vault.add_kept_slot(keeper)
    vault.close()

    with Vault.open_unattended(folder, [keeper]) as again:
        assert again._database.keys.root.number == 2


def test_a_key_whose_slot_came_to_nothing_is_not_left_with_its_keeper(
    vault: Vault, tmp_path: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, file: SlotFile) -> None:
        raise StorageFull

    monkeypatch.setattr("storage.slot_keeping.write_slots", full)
    with pytest.raises(StorageFull):
        vault.add_kept_slot(drawer)
    assert drawer.kept == {}

    def fail(moment: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Vault.create(tmp_path / "new", passphrase=None, keeper=drawer, observe=fail)
    assert drawer.kept == {}


def test_a_keeper_that_refuses_makes_no_vault(folder: Path, drawer: Drawer) -> None:
    drawer.jammed = True
    with pytest.raises(KeeperUnavailable):
        Vault.create(folder, passphrase=None, keeper=drawer)
    assert not folder.exists()


def test_a_vault_that_nothing_would_open_is_not_made(folder: Path) -> None:
    with pytest.raises(EmptyPassphrase):
        Vault.create(folder, passphrase=None)
    assert not folder.exists()


def test_a_full_disk_while_a_slot_is_added_is_told(
    vault: Vault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.remove_slot("recovery", [])

    def full(path: Path, file: SlotFile) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr("storage.slot_keeping.write_slots", full)
        with pytest.raises(StorageFull):
            vault.add_recovery_slot()
    assert kinds(vault) == ["passphrase"]
    vault.add_recovery_slot()


@pytest.mark.parametrize("moment", ["slots:recorded", "slots:written"])
@pytest.mark.parametrize("occurrence", [1, 2])
def test_a_kill_while_slots_change_leaves_a_vault_that_opens(
    folder: Path, moment: str, occurrence: int
) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.close()

    acknowledged = killed(folder, "slots", moment, occurrence)

    assert acknowledged == ["removed"] * (occurrence - 1)
    with Vault.open(folder, RecoveryKey.parse(printed)) as again:
        changes = occurrence - (moment == "slots:recorded")
        assert ("passphrase" in kinds(again)) == (changes != 1)
        assert again.verify().intact
        recorded = [("slot_removed", "passphrase"), ("slot_added", "passphrase")][:occurrence]
        assert event_kinds(again) == recorded  # before the file: a crash hides no slot


# --------------------------------------------------------------------------- confirming


def test_a_secret_can_be_asked_for_again_while_the_vault_is_open(folder: Path) -> None:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        vault.confirm(Passphrase(text=PASSPHRASE))
        vault.confirm(RecoveryKey.parse(printed))
        with pytest.raises(WrongSecret):
            vault.confirm(Passphrase(text="seven grey hens"))
        vault.remove_slot("recovery", [])
        with pytest.raises(NoSuchSlot):
            vault.confirm(RecoveryKey.parse(printed))


def test_another_vaults_slot_file_confirms_nobody(vault: Vault, tmp_path: Path) -> None:
    other, _ = Vault.create(tmp_path / "other", passphrase="mallory", argon2=FAST)
    other.close()
    (tmp_path / "other" / "slots.json").replace(tmp_path / "vault" / "slots.json")

    with pytest.raises(VaultDamaged, match="another vault's"):
        vault.confirm(Passphrase(text="mallory"))
    with pytest.raises(VaultDamaged):
        vault.slots()


def test_a_slot_file_that_vanished_is_told(vault: Vault, folder: Path) -> None:
    (folder / "slots.json").unlink()
    with pytest.raises(VaultDamaged, match=r"slots\.json is missing"):
        vault.rotate()


# --------------------------------------------------------------------------- unattended


def test_the_keepers_are_tried_in_their_order_and_each_failure_is_named(
    vault: Vault, folder: Path
) -> None:
    first, second = Drawer("keyring"), Drawer("systemd-creds")
    vault.add_kept_slot(second)
    vault.add_kept_slot(first)
    vault.close()
    first.jammed = True
    Vault.open_unattended(folder, [first, second]).close()

    second.kept[read_slots(folder / "slots.json").vault_id] = bytes(32)
    with pytest.raises(NoSlotOpens) as raised:
        Vault.open_unattended(folder, [first, second])

    assert raised.value.facts["reasons"] == (
        "keyring: the drawer is jammed; systemd-creds: it holds no key of this vault; "
        "passphrase: needs you; recovery key: needs you"
    )


def test_a_slot_without_a_keeper_here_is_named(vault: Vault, folder: Path, drawer: Drawer) -> None:
    vault.add_kept_slot(drawer)
    vault.close()
    with pytest.raises(NoSlotOpens, match="systemd-creds: has no keeper here"):
        Vault.open_unattended(folder, [])


def test_a_vault_that_did_not_open_can_be_opened_at_once(
    vault: Vault, folder: Path, drawer: Drawer
) -> None:
    vault.close()
    for _ in range(3):
        with pytest.raises(NoSlotOpens):
            Vault.open_unattended(folder, [drawer])
    reopen(folder).close()


def test_the_keyring_is_tried_before_systemd() -> None:
    assert [keeper.kind for keeper in keepers()] == ["keyring", "systemd-creds"]


def test_a_kept_key_shows_nothing() -> None:
    key = KeptKey.generate("keyring")
    assert key.raw.hex() not in repr(key)
    assert repr(key.raw) not in repr(key)


# --------------------------------------------------------------------------- hostile slot files


def with_slots(folder: Path, change: Any) -> None:
    """Changed by somebody without the root, with a checksum that is right again."""
    path = folder / "slots.json"
    value = json.loads(path.read_bytes())
    del value["sha256"]
    change(value["slots"])
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    value["sha256"] = hashlib.sha256(canonical).hexdigest()
    path.write_text(json.dumps(value))


def test_two_slots_of_one_kind_are_damage(vault: Vault, folder: Path) -> None:
    vault.close()
    with_slots(folder, lambda slots: slots.append(dict(slots[0])))
    with pytest.raises(VaultDamaged, match="two slots of one kind"):
        reopen(folder)


def test_a_kept_slot_with_facts_of_somebody_else_is_damage(
    vault: Vault, folder: Path, drawer: Drawer
) -> None:
    vault.add_kept_slot(drawer)
    vault.close()
    with_slots(folder, lambda slots: slots[2].update(extra="facts"))
    with pytest.raises(VaultDamaged, match="without the root key"):
        reopen(folder)


@pytest.mark.parametrize("cut", [0, 1, 100, 500, 900])
def test_a_truncated_slot_file_is_damage(vault: Vault, folder: Path, cut: int) -> None:
    vault.close()
    path = folder / "slots.json"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(VaultDamaged, match=r"slots\.json"):
        Vault.open_unattended(folder, [])


@pytest.mark.parametrize("cost", [{"memory_kib": 1 << 40}, {"time_cost": 1 << 31}, {"lanes": 0}])
def test_hostile_argon2_costs_are_refused_while_the_vault_is_open(
    vault: Vault, folder: Path, cost: dict[str, int]
) -> None:
    with_slots(folder, lambda slots: slots[0]["argon2id"].update(cost))
    with pytest.raises(VaultDamaged):
        vault.confirm(Passphrase(text=PASSPHRASE))
