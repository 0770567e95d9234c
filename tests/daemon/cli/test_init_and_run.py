"""Creating the vault, and starting the service on it."""

from pathlib import Path

import pytest

from storage.errors import WrongSecret
from storage.keys import Passphrase
from storage.vault import Vault
from tests.daemon.cli.conftest import Run

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


@pytest.mark.parametrize("verb", ["init", "run"])
def test_without_terminal_and_file_the_way_to_give_a_passphrase_is_named(
    run: Run, home: Path, passphrase_file: Path, verb: str
) -> None:
    if verb == "run":
        run("init", "--passphrase-file", str(passphrase_file))
    before = files_below(home)

    result = run(verb)

    assert result.exit_code == 2
    assert "--passphrase-file" in result.stderr
    assert files_below(home) == before


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
