"""A service that runs locked, is opened, and is locked again, with its sockets all the while."""

import json

import openai
import pytest

from ipc.errors import OperationError
from storage.keyring_keeper import KeyringKeeper
from storage.vault import Vault
from tests.pipeline import tiny
from tests.pipeline.living import (
    PASSPHRASE,
    QUICK,
    Nightloom,
    at_step,
    entry_of,
    is_alive,
    until,
    wait_for,
)
from tests.secret_service import SecretService

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENDLESS = 400  # tokens; more than a test waits for


def sockets_of(place: Nightloom) -> list[tuple[int, int]]:
    """Which files the two sockets are."""
    found = [path.stat() for path in (place.home.api_socket, place.home.admin_socket)]
    return [(one.st_dev, one.st_ino) for one in found]


def events_of(place: Nightloom) -> list[str]:
    """The kinds of the events that are about the lock, of a service that does not run."""
    with place.open_vault() as vault:
        kinds = [event["kind"] for event in vault.ledger.events()]
    return [kind for kind in kinds if kind in ("locked", "unlocked")]


# --------------------------------------------------------------------------- the keyring


def test_a_service_that_starts_locked_opens_when_the_keyring_does(
    place: Nightloom, keyring_session: SecretService
) -> None:
    vault, _ = Vault.create(
        place.home.vault, passphrase=PASSPHRASE, keeper=KeyringKeeper(), argon2=QUICK
    )
    vault.close()
    keyring_session.lock()
    place.environ = keyring_session.environ
    place.gives_passphrase = False

    place.start()
    sockets, pid = sockets_of(place), place.pid
    status = place.admin.status()
    assert status["state"] == "locked"
    assert status["documents"] is None
    (keyring,) = [slot for slot in status["locked"]["slots"] if slot["kind"] == "keyring"]
    assert "locked" in keyring["problem"]
    for command in ("privacy sources list", "night run --now", "adapters list", "key list"):
        refused = place.run(*command.split())
        assert refused.exit_code == 3, refused.output
        assert "nightloom unlock" in refused.stderr
    assert place.run("status").exit_code == 0
    assert [base["name"] for base in place.admin.bases()] == ["builtin"]
    why = place.admin.why()
    assert (why["would_work"], why["first"]) == (False, "locked")
    with place.client() as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="base", messages=[{"role": "user", "content": "?"}])
    assert caught.value.code == "vault_locked"

    keyring_session.unlock()
    until(lambda: place.admin.status()["state"] != "locked")

    assert (sockets_of(place), place.pid) == (sockets, pid)
    assert place.run("privacy", "sources", "list").exit_code == 0
    with place.client() as client:
        assert [model.id for model in client.models.list()] == ["personal", "base"]

    keyring_session.lock()  # the keys are in memory; what the keyring does now changes nothing
    assert place.run("privacy", "preview").exit_code == 0
    assert place.terminate() == 0
    assert events_of(place) == ["unlocked", "locked"]


def test_a_vault_that_was_locked_on_purpose_stays_so_though_the_keyring_opens(
    place: Nightloom, keyring_session: SecretService
) -> None:
    vault, _ = Vault.create(
        place.home.vault, passphrase=PASSPHRASE, keeper=KeyringKeeper(), argon2=QUICK
    )
    vault.close()
    place.environ = keyring_session.environ
    place.gives_passphrase = False
    place.start()
    assert place.admin.status()["state"] == "waiting"

    assert place.run("lock").exit_code == 0
    keyring_session.lock()
    keyring_session.unlock()
    locked = place.admin.status()["locked"]
    assert locked["asked"]
    assert not locked["tries_again"]

    assert place.run("unlock").exit_code == 0  # by the keyring; nobody is asked
    assert place.admin.status()["state"] == "waiting"


# --------------------------------------------------------------------------- the passphrase


def test_without_a_passphrase_the_service_waits_for_unlock(place: Nightloom) -> None:
    place.make_vault()
    place.gives_passphrase = False
    place.start()
    assert place.admin.status()["state"] == "locked"
    assert place.run("unlock").exit_code == 3

    wrong = place.root / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("ten brown teapots", "utf-8")
    for _ in range(3):
        assert place.run("unlock", "--passphrase-file", str(wrong)).exit_code == 3
    assert place.admin.status()["state"] == "locked"

    def unlocked() -> bool:
        return place.run("unlock", "--passphrase-file", str(place.passphrase)).exit_code == 0

    until(unlocked)
    place.write("note.md", "The bees were late.")
    place.add_source()
    assert place.admin.status()["documents"] == 1
    place.terminate()
    said = place.said.read_text() + place.errors.read_text()
    assert PASSPHRASE not in said
    assert "teapots" not in said


def test_slots_are_listed_added_and_removed_and_the_keys_rotated(place: Nightloom) -> None:
    place.make_vault()
    place.start()
    words = ("--passphrase-file", str(place.passphrase))
    kinds = [slot["kind"] for slot in json.loads(place.run("key", "list", "--json").stdout)]
    assert kinds == ["passphrase", "recovery"]

    assert place.run("key", "add", "recovery", *words).exit_code == 5, "there is one"
    assert place.run("key", "remove", "recovery", "--yes").exit_code == 0
    assert place.run("key", "remove", "passphrase", "--yes").exit_code == 5, "it is the last"
    added = place.run("key", "add", "recovery", *words)
    assert added.exit_code == 0
    (key,) = [line.strip() for line in added.stdout.splitlines() if line.startswith("    ")]
    rotated = place.run("key", "rotate")
    assert rotated.exit_code == 0
    assert "root 2" in rotated.stdout

    assert place.run("lock").exit_code == 0
    file = place.root / "key"
    file.touch(mode=0o600)
    file.write_text(key, "utf-8")
    assert place.run("unlock", "--recovery-key-file", str(file)).exit_code == 0
    assert place.run("key", "add", "keyring", *words).exit_code == 1, "there is no session bus"
    assert place.terminate() == 0
    assert key not in place.said.read_text() + place.errors.read_text()


# --------------------------------------------------------------------------- at work


def test_locking_ends_an_answer_and_takes_the_engine_out_of_memory(learned: Nightloom) -> None:
    learned.start()
    with learned.client() as client:
        answer = client.chat.completions.create(
            model="personal",
            messages=[{"role": "user", "content": "Go on."}],
            max_tokens=ENDLESS,
            stream=True,
        )
        next(answer)
        engine = learned.engine_pid()
        assert engine is not None

        assert learned.run("lock").exit_code == 0

        with pytest.raises(openai.APIError) as caught:
            for _ in answer:
                pass
        assert caught.value.code == "vault_locked"
    assert not is_alive(engine)
    assert learned.admin.status()["engine"] == "stopped"
    assert learned.run("unlock", "--passphrase-file", str(learned.passphrase)).exit_code == 0
    assert learned.ask("Still there?")


def test_locking_saves_the_nights_checkpoint_and_the_next_night_goes_on(noted: Nightloom) -> None:
    noted.configure(tiny.configuration(passes=40))
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, at_step(3))

    assert noted.run("lock").exit_code == 0

    assert entry_of(night)["state"] == "yielding"
    with pytest.raises(OperationError, match="locked"):
        next(noted.admin.run_night())
    assert noted.run("unlock", "--passphrase-file", str(noted.passphrase)).exit_code == 0
    again = noted.admin.run_night()
    line = wait_for(again, lambda line: bool(line.get("step")))
    assert line["step"] > 3
    again.close()  # type: ignore[attr-defined]
    noted.admin.stop_night()
    assert noted.terminate() == 0
    assert events_of(noted)[-4:] == ["unlocked", "locked", "unlocked", "locked"]
