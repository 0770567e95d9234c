"""Creating the vault, and starting the service on it."""

from pathlib import Path

import pytest

from storage.errors import WrongSecret
from storage.keys import Passphrase
from storage.slots import read_slots
from storage.vault import Vault
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.person import Open
from tests.secret_service import SecretService

WORDS = "nine brown teapots"


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.touch(mode=0o600)
    file.write_text(WORDS + "\n")
    return file


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def recovery_key_in(said: str) -> str:
    (line,) = [line.strip() for line in said.splitlines() if line.startswith("    ")]
    return line


def test_init_makes_a_vault_that_the_passphrase_and_the_printed_key_open(
    run: Run, home: Path, passphrase_file: Path
) -> None:
    from daemon.cli.reaching import home as found_home
    from storage.keys import RecoveryKey

    result = run("init", "--passphrase-file", str(passphrase_file))

    assert (result.exit_code, result.stderr) == (0, "")
    at = found_home().vault
    Vault.open(at, Passphrase(text=WORDS)).close()
    Vault.open(at, RecoveryKey.parse(recovery_key_in(result.stdout))).close()
    with pytest.raises(WrongSecret):
        Vault.open(at, Passphrase(text=WORDS + "\n"))


def test_the_recovery_key_is_shown_once_and_kept_nowhere(
    run: Run, home: Path, passphrase_file: Path
) -> None:
    result = run("init", "--passphrase-file", str(passphrase_file))

    key = recovery_key_in(result.stdout)
    assert result.stdout.count(key) == 1
    assert not [path for path, data in files_below(home).items() if key.encode() in data]
    assert not [path for path, data in files_below(home).items() if WORDS.encode() in data]


def test_the_environment_can_name_the_passphrase_file(
    run: Run, home: Path, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTLOOM_PASSPHRASE_FILE", str(passphrase_file))

    assert run("init").exit_code == 0


def test_a_second_init_is_refused_and_changes_nothing(
    run: Run, home: Path, passphrase_file: Path
) -> None:
    run("init", "--passphrase-file", str(passphrase_file))
    before = files_below(home)

    result = run("init", "--passphrase-file", str(passphrase_file))

    assert (result.exit_code, result.stdout) == (5, "")
    assert "nothing was changed" in result.stderr
    assert before
    assert files_below(home) == before


def test_a_second_init_asks_for_no_passphrase(run: Run, home: Path, passphrase_file: Path) -> None:
    run("init", "--passphrase-file", str(passphrase_file))

    assert run("init", "--passphrase-file", str(passphrase_file) + ".none").exit_code == 5


def test_without_terminal_and_file_the_way_to_give_a_passphrase_is_named(
    run: Run, home: Path
) -> None:
    result = run("init", "--no-keyring")

    assert result.exit_code == 2
    assert "--passphrase-file" in result.stderr
    assert files_below(home) == {}


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [(None, 0o600, 2), (b"", 0o600, 2), (b"open to all", 0o644, 5), (b"\xff\xff", 0o600, 1)],
    ids=["missing", "empty", "too open", "not text"],
)
def test_a_bad_passphrase_file_leaves_no_vault(
    run: Run, home: Path, tmp_path: Path, content: bytes | None, mode: int, code: int
) -> None:
    file = tmp_path / "given"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)

    result = run("init", "--passphrase-file", str(file))

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    assert files_below(home) == {}


def test_run_without_a_vault_says_how_to_make_one(
    run: Run, home: Path, passphrase_file: Path
) -> None:
    result = run("run", "--passphrase-file", str(passphrase_file))

    assert (result.exit_code, result.stdout) == (1, "")
    assert "nightloom init" in result.stderr


# --------------------------------------------------------------------------- opening by itself


def kinds_of(home: Path) -> list[str]:
    return [slot.kind for slot in read_slots(home / "vault" / "slots.json").slots]


def test_with_a_keyring_nobody_is_asked_and_the_vault_opens_by_itself(
    run: Run, home: Path, keyring_session: SecretService
) -> None:
    result = run("init")

    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(kinds_of(home)) == ["keyring", "recovery"]
    assert "your keyring" in result.stdout
    assert recovery_key_in(result.stdout)
    Vault.open_unattended(home / "vault").close()


def test_a_passphrase_file_alone_touches_no_keyring(
    run: Run, home: Path, passphrase_file: Path, keyring_session: SecretService
) -> None:
    assert run("init", "--passphrase-file", str(passphrase_file)).exit_code == 0
    assert kinds_of(home) == ["passphrase", "recovery"]
    assert keyring_session.stored() == []


def test_a_passphrase_can_stand_beside_the_keyring(
    run: Run, home: Path, passphrase_file: Path, keyring_session: SecretService
) -> None:
    result = run("init", "--keyring", "--passphrase-file", str(passphrase_file))

    assert result.exit_code == 0
    assert sorted(kinds_of(home)) == ["keyring", "passphrase", "recovery"]
    Vault.open(home / "vault", Passphrase(text=WORDS)).close()


def test_a_locked_keyring_is_named_and_not_used(
    run: Run, home: Path, passphrase_file: Path, keyring_session: SecretService
) -> None:
    keyring_session.lock()
    result = run("init", "--keyring", "--passphrase-file", str(passphrase_file))

    if result.exit_code == 0:  # this machine has a systemd-creds that takes its place
        assert "systemd-creds" in kinds_of(home)
        return
    assert result.exit_code == 1
    assert "keyring: it is locked" in result.stderr
    assert "--no-keyring" in result.stderr
    assert files_below(home) == {}


def test_on_a_terminal_a_passphrase_beside_the_keyring_is_a_choice(
    terminal: Open, home: Path, keyring_session: SecretService
) -> None:
    person = terminal("init")
    person.wait_for("leave it empty for none")
    person.type("")

    assert person.end() == 0
    assert sorted(kinds_of(home)) == ["keyring", "recovery"]


def test_on_a_terminal_without_a_keyring_the_passphrase_is_typed_twice(
    terminal: Open, home: Path
) -> None:
    person = terminal("init", "--no-keyring")
    person.wait_for("New passphrase")
    person.type(WORDS)
    person.wait_for("The same again")
    person.type(WORDS)

    assert person.end() == 0
    assert WORDS not in person.shown
    assert kinds_of(home) == ["passphrase", "recovery"]
