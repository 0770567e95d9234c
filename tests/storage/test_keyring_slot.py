"""The keyring slot against a real Secret Service: opens unattended, never asks, fails in words."""

import base64
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storage import keyring_keeper
from storage.errors import KeeperUnavailable, NoSlotOpens, RolledBack
from storage.keyring_keeper import KeyringKeeper, KeyringStore, candidates
from storage.keyring_witness import Seen, decode_seen, encode_seen
from storage.keys import Passphrase
from storage.slots import read_slots
from storage.vault import Vault
from tests.secret_service import SecretService
from tests.storage.making import FAST, PASSPHRASE, put, reopen

VAULT_ID = bytes(range(16))
PRIVATE = bytes(range(32))


def with_keyring(folder: Path) -> str:
    """A vault with a passphrase, a recovery and a keyring slot, closed; its recovery key."""
    vault, recovery_key = Vault.create(
        folder, passphrase=PASSPHRASE, keeper=KeyringKeeper(), argon2=FAST
    )
    vault.close()
    return recovery_key


# --------------------------------------------------------------------------- the slot


def test_a_vault_with_a_keyring_slot_opens_with_nobody_there(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)

    with Vault.open_unattended(folder) as vault:
        assert [slot.kind for slot in vault.slots()] == ["passphrase", "recovery", "keyring"]
        assert [slot.unattended for slot in vault.slots()] == [False, False, True]
        assert vault.verify().intact


def test_a_vault_can_be_made_without_a_passphrase(
    keyring_session: SecretService, folder: Path
) -> None:
    vault, _ = Vault.create(folder, passphrase=None, keeper=KeyringKeeper())
    vault.close()

    with Vault.open_unattended(folder) as vault:
        assert [slot.kind for slot in vault.slots()] == ["recovery", "keyring"]


def test_the_keyring_holds_a_key_of_its_own_and_no_file_has_it_in_clear(
    keyring_session: SecretService, folder: Path, tmp_path: Path
) -> None:
    with_keyring(folder)

    (private,) = [
        bytes.fromhex(secret.decode())
        for label, secret in keyring_session.stored()
        if keyring_keeper.KEY_SERVICE in label
    ]
    assert len(private) == 32
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 3  # the vault's, and those of the keyring
    for shape in (private, private.hex().encode(), base64.b64encode(private)):
        assert not [data for data in written if shape in data]
    with reopen(folder) as vault:
        assert private != vault._database.keys.root.raw


def test_a_locked_keyring_is_not_asked_and_says_so(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)
    keyring_session.lock()

    with pytest.raises(
        NoSlotOpens, match=r"keyring: it is locked; .* `nightloom unlock`"
    ) as raised:
        Vault.open_unattended(folder)

    assert "passphrase: needs you; recovery key: needs you" in str(raised.value)
    keyring_session.unlock()
    Vault.open_unattended(folder).close()


def test_a_keyring_that_locks_while_the_vault_is_open_disturbs_nothing(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)
    with Vault.open_unattended(folder) as vault:
        keyring_session.lock()
        put(vault, "written while it is locked")
        assert vault.rotate().root == 2
        assert not vault.witness_now()
        assert vault.verify().intact
        with pytest.raises(KeeperUnavailable, match="locked"):
            KeyringKeeper().fetch(VAULT_ID, {})
    keyring_session.unlock()

    with Vault.open_unattended(folder) as vault:  # the new root was sealed to it all the same
        assert vault._database.keys.root.number == 2


def test_a_slot_whose_key_was_taken_out_of_the_keyring_says_so(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)
    vault_id = read_slots(folder / "slots.json").vault_id
    KeyringKeeper().drop(vault_id, {})

    with pytest.raises(NoSlotOpens, match="keyring: it holds no key of this vault"):
        Vault.open_unattended(folder)
    KeyringStore().set(keyring_keeper.KEY_SERVICE, vault_id, PRIVATE.hex())
    with pytest.raises(NoSlotOpens, match="keyring: it holds no key of this vault"):
        Vault.open_unattended(folder)
    KeyringStore().set(keyring_keeper.KEY_SERVICE, vault_id, "zz")
    with pytest.raises(NoSlotOpens, match="keyring: it holds no key of this vault"):
        Vault.open_unattended(folder)


def test_removing_the_slot_takes_its_key_out_of_the_keyring(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)
    with reopen(folder) as vault:
        vault.remove_slot("keyring")

    labels = [label for label, _ in keyring_session.stored()]
    assert not [label for label in labels if keyring_keeper.KEY_SERVICE in label]
    with pytest.raises(NoSlotOpens):
        Vault.open_unattended(folder)


def test_two_vaults_keep_their_keys_apart(keyring_session: SecretService, tmp_path: Path) -> None:
    with_keyring(tmp_path / "one")
    with_keyring(tmp_path / "two")

    Vault.open_unattended(tmp_path / "one").close()
    Vault.open_unattended(tmp_path / "two").close()


def test_a_keyring_that_does_not_answer_holds_up_nobody(keyring_session: SecretService) -> None:
    keyring_session.freeze()

    keeper = KeyringKeeper(KeyringStore(longest_seconds=0.2))

    assert keeper.problem() == "it does not answer"


def test_without_a_session_bus_there_is_no_keyring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)

    assert KeyringKeeper().problem() == "there is none on this session's bus"


# --------------------------------------------------------------------------- which backend


@pytest.mark.parametrize(
    ("configured", "why"),
    [
        ("keyring.backends.null.Keyring", "keep nothing"),
        ("keyring.backends.fail.Keyring", "keep nothing"),
        ("keyrings.alt.file.PlaintextKeyring", "plain files"),
        ("keyring.backends.Windows.WinVaultKeyring", "does not trust"),
        ("keyring.backends.libsecret.Keyring", "does not trust"),
        ("my.own.Keyring", "does not trust"),
    ],
)
def test_backends_that_are_not_named_are_refused_and_never_loaded(
    configured: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", configured)
    assert why in str(KeyringKeeper().problem())

    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "python_keyring").mkdir()
    (tmp_path / "python_keyring" / "keyringrc.cfg").write_text(
        f"[backend]\ndefault-keyring={configured}\n"
    )
    with pytest.raises(KeeperUnavailable, match=why):
        KeyringKeeper().keep(VAULT_ID, PRIVATE)


def test_the_named_backends_are_tried_by_platform() -> None:
    secret_service, kwallet = candidates(None, "linux")
    assert secret_service.endswith("SecretService.Keyring")
    assert kwallet.endswith("kwallet.DBusKeyring")
    assert candidates(None, "darwin") == ("keyring.backends.macOS.Keyring",)
    assert candidates(kwallet, "linux") == (kwallet,)
    # The chainer may hold anything that is installed, so only its named members are used.
    chainer = "keyring.backends.chainer.ChainerBackend"
    assert candidates(chainer, "linux") == (secret_service, kwallet)
    with pytest.raises(KeeperUnavailable, match="not supported"):
        candidates(None, "win32")


def test_the_library_is_loaded_at_the_first_use_alone() -> None:
    code = "import sys, storage.vault; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"keyring", "secretstorage", "jeepney"} & set(done.stdout.split())


# --------------------------------------------------------------------------- the witness


def copied(folder: Path, to: Path) -> Path:
    return shutil.copytree(folder, to)


def put_back(folder: Path, copy: Path) -> None:
    shutil.rmtree(folder)
    copy.rename(folder)


WITNESSED = Seen(generation=300, event=7, chain=bytes(range(32)))


def test_a_record_of_the_witness_has_these_words() -> None:
    assert encode_seen(bytes(range(32)), WITNESSED) == (
        "1 300 7 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "
        "53761995202e7ae65ddb56fe7d629fba79a6280694df9c446f1f3434a5ea3ff1"
    )


@pytest.mark.parametrize("place", range(0, 135, 7))
def test_a_record_of_the_witness_that_was_changed_is_none(place: int) -> None:
    key = bytes(range(32))
    text = encode_seen(key, WITNESSED)
    assert decode_seen(key, text) == WITNESSED
    changed = text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]
    assert decode_seen(key, changed) is None
    assert decode_seen(bytes(32), text) is None
    assert decode_seen(key, text + " ") is None


def test_an_older_copy_of_the_whole_folder_is_noticed(
    keyring_session: SecretService, folder: Path, tmp_path: Path
) -> None:
    with_keyring(folder)
    older = copied(folder, tmp_path / "older")
    with reopen(folder) as vault:
        put(vault, "newer")
    put_back(folder, older)

    with pytest.raises(RolledBack, match="older than what this machine has seen"):
        Vault.open_unattended(folder)
    with pytest.raises(RolledBack):
        reopen(folder)


def test_a_copy_that_went_on_from_an_older_state_is_noticed(
    keyring_session: SecretService, folder: Path, tmp_path: Path
) -> None:
    with_keyring(folder)
    older = copied(folder, tmp_path / "older")
    with reopen(folder) as vault:
        vault.ledger.append_event("unlocked", {})
    keyring_session.lock()  # on another machine, say
    put_back(folder, older)
    with reopen(folder) as vault:
        for _ in range(5):
            vault.ledger.append_event("locked", {})
    keyring_session.unlock()

    with pytest.raises(RolledBack, match="did not come of it"):
        reopen(folder)


def test_an_older_copy_is_accepted_at_a_persons_word_and_not_at_night(
    keyring_session: SecretService, folder: Path, tmp_path: Path
) -> None:
    with_keyring(folder)
    older = copied(folder, tmp_path / "older")
    with reopen(folder) as vault:
        put(vault, "newer")
    put_back(folder, older)
    (folder / "witness").unlink()

    with pytest.raises(RolledBack):
        Vault.open_unattended(folder)
    with reopen(folder) as vault:
        assert vault.opening.outside == "overruled"
        assert [event["kind"] for event in vault.ledger.events()] == ["witness_missing"]
    with Vault.open_unattended(folder) as vault:
        assert vault.opening.outside == "agrees"


def test_who_restores_can_say_that_an_older_state_is_meant(
    keyring_session: SecretService, folder: Path, tmp_path: Path
) -> None:
    with_keyring(folder)
    older = copied(folder, tmp_path / "older")
    with reopen(folder) as vault:
        put(vault, "newer")
    put_back(folder, older)

    with Vault.open(folder, Passphrase(text=PASSPHRASE), older_is_meant=True) as vault:
        assert vault.opening.outside == "overruled"
    with reopen(folder) as vault:
        assert vault.opening.outside == "agrees"


def test_a_locked_keyring_witnesses_nothing_and_keeps_nobody_out(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)
    keyring_session.lock()

    with reopen(folder) as vault:
        put(vault, "a text")
        assert vault.opening.outside == "silent"
        assert not vault.witness_now()
    keyring_session.unlock()
    with reopen(folder) as vault:
        assert vault.opening.outside == "agrees"


def test_the_witness_is_never_ahead_of_what_is_committed(
    keyring_session: SecretService, folder: Path
) -> None:
    with_keyring(folder)
    with reopen(folder) as vault:
        with vault.transaction():
            vault.ledger.append_event("locked", {})
            assert not vault.witness_now()
        assert vault.witness_now()
    reopen(folder).close()


def test_a_vault_without_a_keyring_slot_leaves_the_keyring_alone(
    keyring_session: SecretService, folder: Path
) -> None:
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        put(vault, "a text")
        assert not vault.witness_now()

    with reopen(folder) as vault:
        assert vault.opening.outside == "not_asked"
    assert keyring_session.stored() == []
