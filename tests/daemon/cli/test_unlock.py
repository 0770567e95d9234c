"""`nightloom unlock` and `lock`: which secret is asked for, and how it reaches the service."""

from pathlib import Path

import pytest

from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from storage.keys import RecoveryKey
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import STATUS, FakeAdmin
from tests.daemon.cli.person import Open

WORDS = "nine brown teapots"
LOCKED = OperationError("locked", "No slot opens this vault by itself.")


def status_with(*kinds: str) -> dict[str, object]:
    slots = [{"kind": kind, "unattended": False, "problem": "it needs you"} for kind in kinds]
    locked = {"asked": False, "tries_again": True, "sentence": "no", "slots": slots}
    return {**STATUS, "state": "locked", "documents": None, "locked": locked}


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.touch(mode=0o600)
    file.write_text(WORDS + "\n")
    return file


def test_the_slots_that_open_by_themselves_are_tried_before_anybody_is_asked(
    service: FakeAdmin, run: Run
) -> None:
    result = run("unlock")

    assert (result.exit_code, result.stdout) == (0, "The vault is open.\n")
    assert service.keys.secrets == [None]


def test_a_passphrase_file_is_tried_at_once(
    service: FakeAdmin, run: Run, passphrase_file: Path
) -> None:
    assert run("unlock", "--passphrase-file", str(passphrase_file)).exit_code == 0
    assert service.keys.secrets == [GivenSecret(kind="passphrase", text=WORDS)]


def test_the_variable_names_the_passphrase_file_here_too(
    service: FakeAdmin, run: Run, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTLOOM_PASSPHRASE_FILE", str(passphrase_file))
    assert run("unlock").exit_code == 0
    assert service.keys.secrets == [GivenSecret(kind="passphrase", text=WORDS)]


def test_a_recovery_key_is_read_from_its_file(service: FakeAdmin, run: Run, tmp_path: Path) -> None:
    key = RecoveryKey.generate()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(key.printed().lower() + "\n")

    assert run("unlock", "--recovery-key-file", str(file)).exit_code == 0
    assert service.keys.secrets == [GivenSecret(kind="recovery_key", text=key.printed())]


def test_without_a_terminal_nobody_is_asked_and_it_exits_with_3(
    service: FakeAdmin, run: Run
) -> None:
    service.keys.refusals = [LOCKED]

    result = run("unlock")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "nightloom: No slot opens this vault by itself.\n"


def test_on_a_terminal_the_passphrase_is_asked_for_and_not_shown(
    service: FakeAdmin, terminal: Open
) -> None:
    service.keys.refusals = [LOCKED]
    service.status_answer = status_with("passphrase", "recovery")

    person = terminal("unlock")
    person.wait_for("Passphrase")
    person.type(WORDS)

    assert person.end() == 0
    assert WORDS not in person.shown
    assert service.keys.secrets == [None, GivenSecret(kind="passphrase", text=WORDS)]


def test_on_a_terminal_the_recovery_key_is_asked_for_where_there_is_no_passphrase(
    service: FakeAdmin, terminal: Open
) -> None:
    service.keys.refusals = [LOCKED]
    service.status_answer = status_with("recovery", "keyring")
    key = RecoveryKey.generate()

    person = terminal("unlock")
    person.wait_for("Recovery key")
    person.type(key.printed())

    assert person.end() == 0
    assert service.keys.secrets == [None, GivenSecret(kind="recovery_key", text=key.printed())]


@pytest.mark.parametrize(("code", "exit_code"), [("locked", 3), ("refused", 5), ("failed", 1)])
def test_what_the_service_says_is_passed_on(
    service: FakeAdmin, run: Run, passphrase_file: Path, code: str, exit_code: int
) -> None:
    service.keys.refusals = [OperationError(code, "It stays shut.")]  # type: ignore[arg-type]

    result = run("unlock", "--passphrase-file", str(passphrase_file))

    assert result.exit_code == exit_code
    assert result.stderr == "nightloom: It stays shut.\n"
    assert WORDS not in result.output


def test_an_open_vault_is_told_as_such(service: FakeAdmin, run: Run) -> None:
    service.keys.was_locked = False
    assert run("unlock").stdout == "The vault was open already.\n"


def test_lock_says_that_it_stays_locked(service: FakeAdmin, run: Run) -> None:
    assert run("lock").stdout == "The vault is locked. It stays so until `nightloom unlock`.\n"
    service.keys.was_open = False
    assert "already" in run("lock").stdout


@pytest.mark.parametrize("verb", ["unlock", "lock"])
def test_without_a_service_it_exits_with_4(run: Run, verb: str) -> None:
    assert run(verb).exit_code == 4


def test_status_shows_a_locked_vault_slot_by_slot(service: FakeAdmin, run: Run) -> None:
    service.status_answer = status_with("passphrase", "recovery")

    result = run("status")

    assert result.exit_code == 0
    assert result.stdout.startswith("Locked: `nightloom unlock` opens the vault.")
    assert "tried again" in result.stdout
    assert "passphrase  it needs you" in result.stdout
