"""Moving house: a backup of a service at work, restored in another home."""

import json
from pathlib import Path

import pytest

from storage.keys import RecoveryKey
from storage.records import DocumentState
from storage.vault import Vault
from tests.pipeline.living import PASSPHRASE, QUICK, Nightloom, new_home, until
from tests.pipeline.story import CONFIGURATION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SENTENCE = "The heron of Zennor keeps his letters under the third stair."


def made_with_key(place: Nightloom) -> RecoveryKey:
    vault, printed = Vault.create(place.home.vault, passphrase=PASSPHRASE, argon2=QUICK)
    vault.close()
    return RecoveryKey.parse(printed)


def documents(place: Nightloom) -> int:
    return int(place.admin.status()["documents"])


def test_a_vault_moves_to_another_home(place: Nightloom, tmp_path: Path) -> None:
    place.configure(CONFIGURATION)
    key = made_with_key(place)
    for number in range(12):
        place.write(f"{number}.md", f"{SENTENCE} {number}\n" * 30)
    place.start()
    place.add_source(name="letters")
    file, key_file = tmp_path / "vault.backup", tmp_path / "key"
    key_file.touch(mode=0o600)
    key_file.write_text(key.printed())

    made = place.run("backup", str(file), "--json")

    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["documents"] == documents(place) == 12
    data = file.read_bytes()
    for private in (SENTENCE, "letters", str(place.notes), PASSPHRASE):
        assert private.encode() not in data
    place.write("late.md", f"{SENTENCE} after the backup\n" * 30)
    place.admin.rescan()
    assert documents(place) == 13
    refused = place.run("restore", str(file), "--recovery-key-file", str(key_file))
    assert refused.exit_code == 5
    assert place.terminate() == 0
    with place.open_vault() as vault:
        kinds = [event["kind"] for event in vault.ledger.events()]
        assert kinds.count("backup_made") == 1

    with new_home() as other:
        other.configure(CONFIGURATION)
        restored = other.run("restore", str(file), "--recovery-key-file", str(key_file))
        assert restored.exit_code == 0, restored.stderr
        assert "12 documents" in restored.stdout
        other.start()  # with the old passphrase
        (source,) = other.admin.sources()
        assert source["name"] == "letters"
        # The folder is there too, so what is new in it is collected.
        until(lambda: documents(other) == 13)
        assert other.terminate() == 0
        with other.open_vault() as vault:
            assert vault.verify().intact
            events = [event["kind"] for event in vault.ledger.events()]
            assert "restored" in events
            assert "witness_missing" not in events
            states = {row.state for row in vault.documents.heads()}
            assert states == {DocumentState.NEW}


def test_a_folder_that_is_not_on_the_new_machine_costs_no_document(
    place: Nightloom, tmp_path: Path
) -> None:
    place.configure(CONFIGURATION)
    key = made_with_key(place)
    place.write("one.md", f"{SENTENCE}\n" * 30)
    place.start()
    place.add_source(name="letters")
    file, key_file = tmp_path / "vault.backup", tmp_path / "key"
    key_file.touch(mode=0o600)
    key_file.write_text(key.printed())
    assert place.run("backup", str(file)).exit_code == 0
    place.terminate()
    place.notes.rename(place.notes.with_name("moved"))

    with new_home() as other:
        other.configure(CONFIGURATION)
        assert other.run("restore", str(file), "--recovery-key-file", str(key_file)).exit_code == 0
        other.start()
        until(lambda: other.admin.sources()[0]["state"] == "missing")
        assert documents(other) == 1
        # As the command says: away with the old path, and the new one in its place.
        other.admin.remove_source("letters")
        other.admin.add_source(str(place.notes.with_name("moved")), name="letters")
        other.admin.rescan()
        assert documents(other) == 1  # the same text is not kept twice
