"""Key slots: exact bytes, wrong secrets, hostile parameters and slipped-in slots."""

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import (
    EmptyPassphrase,
    NoSuchSlot,
    StorageError,
    VaultDamaged,
    VaultTooNew,
    WrongSecret,
)
from storage.keys import (
    DEFAULT_ARGON2,
    Argon2Parameters,
    Passphrase,
    RecoveryKey,
    RootKey,
    passphrase_key_pair,
    recovery_key_pair,
    unseal_root,
)
from storage.slots import (
    Slot,
    SlotFile,
    authenticated,
    decode_slots,
    encode_slots,
    kept_slot,
    passphrase_slot,
    recovery_slot,
    unlock,
)
from storage.unattended import KeptKey
from tests.storage.making import FAST, flipped

VAULT_ID = bytes(range(16))
SALT = bytes(range(16, 32))
ROOT = RootKey(number=1, raw=bytes(range(32)))
PASSPHRASE = Passphrase(text="seven grey herons")
RECOVERY = RecoveryKey(entropy=bytes(range(21)))


def slot_file() -> SlotFile:
    slots = (
        passphrase_slot(PASSPHRASE, ROOT, vault_id=VAULT_ID, argon2=FAST, salt=SALT),
        recovery_slot(RECOVERY, ROOT, vault_id=VAULT_ID),
    )
    return authenticated(VAULT_ID, slots, {1: ROOT})


WRITTEN = encode_slots(slot_file())


def rewritten(**changes: Any) -> bytes:
    """The file with other values and a checksum that is right again."""
    value = json.loads(WRITTEN)
    del value["sha256"]
    value |= changes
    value["sha256"] = hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
    return json.dumps(value).encode()


def with_argon2(**cost: object) -> bytes:
    slots = json.loads(WRITTEN)["slots"]
    slots[0]["argon2id"] |= cost
    return rewritten(slots=slots)


def test_a_passphrase_leads_to_this_key_pair() -> None:
    private = passphrase_key_pair(PASSPHRASE, salt=SALT, vault_id=VAULT_ID, parameters=FAST)
    assert (
        private.private_bytes_raw().hex()
        == "c45f4c805b048c5aaa67a17f810274de7502df99f99e621955a6743156547cd9"
    )
    assert (
        private.public_key().public_bytes_raw().hex()
        == "6e941ec1eed0b7666c3edfe4e1a9148bca06a6012587f6e66b3c8d38aa7b3e1c"
    )


def test_a_recovery_key_leads_to_this_key_pair() -> None:
    private = recovery_key_pair(RECOVERY, vault_id=VAULT_ID)
    assert (
        private.private_bytes_raw().hex()
        == "3dcaa0d78caf3bc4ccba20631259a5cde9418c4cf3f2e837299d4dc6651f680b"
    )


def test_a_root_sealed_by_the_first_version_opens() -> None:
    private = recovery_key_pair(RECOVERY, vault_id=VAULT_ID)
    sealed = bytes.fromhex(
        "718186c2ebb14796de65ee414a9d3ecbb6446b99bce53e5aa604c421ee029c3fd800355cb7811fef"
        "dfa590147f01b9aeb284195431a2da988e3db9bd75e2a9a4caccad3070cfd08b0eee5f60d7037e8f"
    )
    assert unseal_root(1, sealed, private=private, kind="recovery", vault_id=VAULT_ID) == ROOT


@pytest.mark.parametrize(
    ("kind", "sealed"),
    [
        (
            "keyring",
            "0de4f1f319ba341517b25cec6dd8dd9be8b24a342849d2e57628f2c40570746c305092d44a6f44a7"
            "3c4b5b947d11a6ef85dedfbedfd6cd4a6337a2fab589038d03f5ffe1e78506a72044e86519d5885e",
        ),
        (
            "systemd-creds",
            "c081ac8849c25c8924c8c5fb78dbfdcbf36e162aa72698f65cb4950148135419fcfff023fd12d500"
            "321661edb8b4a4f61a8b57a3d89bb9a93b78fc5a4c36ebc0d7be3c11a15e0e93c0c4853a729f2e38",
        ),
    ],
)
def test_a_root_sealed_to_a_kept_key_by_the_first_version_opens(kind: str, sealed: str) -> None:
    kept = KeptKey(kind=kind, raw=bytes(range(32, 64)))
    public = "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254"
    assert kept.key_pair().public_key().public_bytes_raw().hex() == public
    slot = Slot(
        kind=kind, public=bytes.fromhex(public), roots={1: bytes.fromhex(sealed)}, facts={"a": "b"}
    )
    file = authenticated(VAULT_ID, (slot,), {1: ROOT})
    assert unlock(decode_slots(encode_slots(file)), kept) == {1: ROOT}


def test_a_root_sealed_to_one_kind_of_slot_does_not_open_as_another() -> None:
    kept = KeptKey(kind="keyring", raw=bytes(range(32, 64)))
    slot = kept_slot(kept, ROOT, vault_id=VAULT_ID, facts={})
    file = authenticated(VAULT_ID, (dataclasses.replace(slot, kind="systemd-creds"),), {1: ROOT})
    with pytest.raises(VaultDamaged, match="does not open"):
        unlock(file, KeptKey(kind="systemd-creds", raw=kept.raw))


def test_a_slot_file_authenticated_by_the_first_version_has_this_mac() -> None:
    slots = tuple(dataclasses.replace(slot, roots={1: b"sealed"}) for slot in slot_file().slots)
    assert (
        authenticated(VAULT_ID, slots, {1: ROOT}).macs[1].hex()
        == "d2b5c79bfc2c60d77fca7e490b13787149f5d5f58081dc363948444308c7616c"
    )


def test_both_secrets_open_the_same_root() -> None:
    file = decode_slots(WRITTEN)
    assert unlock(file, PASSPHRASE) == {1: ROOT}
    assert unlock(file, RECOVERY) == {1: ROOT}


def test_a_passphrase_typed_in_another_normal_form_is_the_same() -> None:
    slot = passphrase_slot(
        Passphrase(text="caf\u00e9"), ROOT, vault_id=VAULT_ID, argon2=FAST, salt=SALT
    )
    file = authenticated(VAULT_ID, (slot,), {1: ROOT})
    assert unlock(file, Passphrase(text="cafe\u0301")) == {1: ROOT}


def test_a_wrong_passphrase_is_told_so() -> None:
    with pytest.raises(WrongSecret, match="The passphrase does not open this vault"):
        unlock(decode_slots(WRITTEN), Passphrase(text="seven grey hens"))


def test_another_vaults_recovery_key_is_told_so() -> None:
    with pytest.raises(WrongSecret, match="The recovery key does not open this vault"):
        unlock(decode_slots(WRITTEN), RecoveryKey.generate())


def test_an_empty_passphrase_is_refused_before_anything_is_made() -> None:
    with pytest.raises(EmptyPassphrase):
        Passphrase(text="  ")


def test_a_slot_that_is_not_there_is_named() -> None:
    file = authenticated(VAULT_ID, (recovery_slot(RECOVERY, ROOT, vault_id=VAULT_ID),), {1: ROOT})
    with pytest.raises(NoSuchSlot, match="no passphrase slot"):
        unlock(file, PASSPHRASE)


def test_during_a_rotation_a_slot_opens_the_old_and_the_new_root() -> None:
    newer = RootKey(number=2, raw=bytes(32))
    old, new = (recovery_slot(RECOVERY, root, vault_id=VAULT_ID) for root in (ROOT, newer))
    both = dataclasses.replace(old, roots={**old.roots, **new.roots})
    file = authenticated(VAULT_ID, (both,), {1: ROOT, 2: newer})
    assert unlock(decode_slots(encode_slots(file)), RECOVERY) == {1: ROOT, 2: newer}


def test_slots_of_a_kind_from_later_are_kept_and_do_not_disturb() -> None:
    later = dataclasses.replace(
        recovery_slot(RECOVERY, ROOT, vault_id=VAULT_ID), kind="moon", facts={"phase": 3}
    )
    file = authenticated(VAULT_ID, (*slot_file().slots, later), {1: ROOT})
    read = decode_slots(encode_slots(file))
    assert read.slots[2] == later
    assert unlock(read, PASSPHRASE) == {1: ROOT}


@given(st.integers(min_value=0))
def test_one_flipped_bit_in_the_slot_file_never_opens_another_root(bit: int) -> None:
    try:
        roots = unlock(decode_slots(flipped(WRITTEN, bit)), PASSPHRASE)
    except (VaultDamaged, VaultTooNew):
        return
    # White space and the case of a letter in hex say the same as before.
    assert roots == {1: ROOT}


@pytest.mark.parametrize(
    "cost",
    [
        {"memory_kib": 1 << 30},
        {"memory_kib": 1},
        {"time_cost": 1_000_000},
        {"time_cost": 0},
        {"lanes": 100_000},
        {"lanes": -1},
        {"memory_kib": "lots"},
        {"salt": "00"},
        {"salt": 7},
    ],
)
def test_hostile_argon2_parameters_are_refused_without_running_them(cost: dict[str, Any]) -> None:
    with pytest.raises(VaultDamaged, match=r"Argon2 cost|not complete"):
        unlock(decode_slots(with_argon2(**cost)), PASSPHRASE)


def test_a_slot_slipped_in_by_somebody_without_the_root_is_noticed() -> None:
    slots = json.loads(WRITTEN)["slots"]
    slots.append(slots[1] | {"public": bytes(32).hex(), "kind": "mallory"})
    with pytest.raises(VaultDamaged, match="changed by somebody without the root key"):
        unlock(decode_slots(rewritten(slots=slots)), PASSPHRASE)


def test_a_newer_slot_file_asks_for_an_upgrade() -> None:
    with pytest.raises(VaultTooNew, match=r"format 2 .* formats up to 1\. Upgrade nightloom"):
        decode_slots(rewritten(format=2))


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_a_slot_file_of_any_shape_is_damaged_and_nothing_worse(value: object) -> None:
    with pytest.raises(StorageError):
        decode_slots(rewritten(slots=value, vault="zz"))
    with pytest.raises(VaultDamaged):
        decode_slots(json.dumps(value).encode())


def test_the_default_cost_is_the_one_that_was_decided() -> None:
    assert Argon2Parameters(time_cost=3, memory_kib=262_144, lanes=4) == DEFAULT_ARGON2


def test_no_secret_shows_in_a_repr() -> None:
    for shown in (repr(PASSPHRASE), repr(RECOVERY), repr(ROOT)):
        assert "heron" not in shown
        assert repr(ROOT.raw) not in shown
        assert repr(RECOVERY.entropy) not in shown
