"""`nightloom backup` and `nightloom restore`, as somebody meets them."""

import json
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from ipc.errors import OperationError
from storage.keys import Passphrase, RecoveryKey
from storage.vault import Vault
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_backup import HOLDS
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open
from tests.storage.backing_up import backed_up, furnish, make_vault
from tests.storage.full_disk import small_disk
from tests.storage.making import PASSPHRASE

# --------------------------------------------------------------------------- backup


def test_the_file_is_private_and_holds_what_the_service_sent(
    run: Run, service: FakeAdmin, tmp_path: Path
) -> None:
    file = tmp_path / "vault.backup"

    result = run("backup", str(file))

    assert result.exit_code == 0
    assert file.read_bytes() == b"".join(service.backup.pieces)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert "246 documents and 3 adapters, 2 MB" in result.stdout
    assert "Only the recovery key opens it" in result.stdout
    assert "backing up 100 %" in result.stderr


def test_as_json_it_says_what_the_file_holds(run: Run, service: FakeAdmin, tmp_path: Path) -> None:
    file = tmp_path / "vault.backup"

    answer = json.loads(run("backup", str(file), "--json").stdout)

    assert answer == HOLDS | {"bytes": 2_000_007, "recorded": True, "file": str(file)}


def test_a_file_that_is_there_is_replaced_only_by_force(
    run: Run, service: FakeAdmin, tmp_path: Path
) -> None:
    file = tmp_path / "vault.backup"
    file.write_bytes(b"an older one")

    refused = run("backup", str(file))
    kept = file.read_bytes()
    forced = run("backup", "--force", str(file))

    assert (refused.exit_code, kept) == (5, b"an older one")
    assert "--force" in refused.stderr
    assert (forced.exit_code, file.read_bytes()) == (0, b"".join(service.backup.pieces))


def test_without_a_service_there_is_no_backup_and_no_file(run: Run, tmp_path: Path) -> None:
    result = run("backup", str(tmp_path / "vault.backup"))

    assert result.exit_code == 4
    assert "nightloom run" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_locked_vault_is_said_at_once(run: Run, service: FakeAdmin, tmp_path: Path) -> None:
    service.backup.refusal = OperationError("locked", "The vault is locked.")

    result = run("backup", str(tmp_path / "vault.backup"))

    assert (result.exit_code, result.stderr) == (3, "nightloom: The vault is locked.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OperationError("failed", "The vault was closed."), "The vault was closed."),
        (ValueError("a private word"), "its log says where"),
    ],
)
def test_a_failure_in_the_middle_leaves_the_older_file(
    run: Run, service: FakeAdmin, tmp_path: Path, failure: Exception, said: str
) -> None:
    file = tmp_path / "vault.backup"
    file.write_bytes(b"an older one")
    service.backup.failure = failure

    result = run("backup", "--force", str(file))

    assert result.exit_code == 1
    assert said in result.stderr
    assert "private word" not in result.stderr
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == b"an older one"


def test_ctrl_c_cleans_up_and_the_service_gives_it_up(
    terminal: Open, service: FakeAdmin, tmp_path: Path
) -> None:
    service.backup.after_pieces = threading.Event()
    backup = terminal("backup", str(tmp_path / "vault.backup"))
    assert service.backup.after_pieces.wait(15)

    backup.process.send_signal(signal.SIGINT)

    assert backup.end() == 130
    assert service.backup.given_up.wait(15)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_sentence(
    run: Run, service: FakeAdmin, tmp_path: Path
) -> None:
    result = run("backup", str(tmp_path / "missing" / "vault.backup"))

    assert result.exit_code == 1
    assert result.stderr.count("nightloom:") == 1


def test_a_medium_without_room_keeps_no_half_of_it(
    run: Run, service: FakeAdmin, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "stick", 1 << 20) as disk:
        result = run("backup", str(disk.folder / "vault.backup"))

        assert result.exit_code == 1
        assert "No space left" in result.stderr
        assert list(disk.folder.iterdir()) == []


# --------------------------------------------------------------------------- restore


@pytest.fixture
def backup(tmp_path: Path) -> tuple[Path, Path, RecoveryKey]:
    """A backup file, a private file with its recovery key, and the key."""
    vault, key = make_vault(tmp_path / "old")
    file, key_file = tmp_path / "vault.backup", tmp_path / "key"
    with vault:
        furnish(vault)
        file.write_bytes(backed_up(vault))
    key_file.touch(mode=0o600)
    key_file.write_text(f"  {key.printed().lower()}\n")
    return file, key_file, key


def test_a_backup_becomes_the_vault_and_what_comes_next_is_said(
    run: Run, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, key_file, _ = backup

    result = run("restore", str(file), "--recovery-key-file", str(key_file))

    assert result.exit_code == 0
    assert "20 documents, 2 adapters, 1 source" in result.stdout
    assert "opens with its passphrase or its recovery key" in result.stdout
    for words in ("nightloom run", "nightloom key add", "sources list", "base-1", "base add"):
        assert words in result.stdout
    assert "restoring 100 %" in result.stderr
    with Vault.open(home / "vault", Passphrase(text=PASSPHRASE)) as vault:
        assert vault.verify().intact


def test_what_was_restored_as_json(
    run: Run, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, key_file, _ = backup

    result = run("restore", "--json", str(file), "--recovery-key-file", str(key_file))

    answer = json.loads(result.stdout)
    assert {name: answer[name] for name in ("documents", "adapters", "sources", "damaged")} == {
        "documents": 20,
        "adapters": 2,
        "sources": 1,
        "damaged": 0,
    }
    assert answer["bases"] == [{"identity": "base-1", "name": None}]
    assert answer["slots"] == ["passphrase", "recovery"]


def test_the_key_is_typed_and_not_shown_and_a_slip_is_named(
    terminal: Open, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, _, key = backup
    restore = terminal("restore", str(file))
    restore.wait_for("Recovery key:")
    restore.type(key.printed()[:-1] + ("Q" if key.printed()[-1] != "Q" else "P"))
    restore.wait_for("mistyped")
    restore.wait_for("Recovery key:")
    restore.type(key.printed())

    assert restore.end() == 0
    assert key.printed()[:5] not in restore.shown
    assert (home / "vault" / "vault.db").is_file()


def test_a_vault_that_is_there_stays(
    run: Run, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, key_file, _ = backup
    make_vault(home / "vault")[0].close()
    before = (home / "vault" / "slots.json").read_bytes()

    result = run("restore", str(file), "--recovery-key-file", str(key_file))

    assert result.exit_code == 5
    assert (home / "vault" / "slots.json").read_bytes() == before


def test_a_running_service_is_not_undermined(
    run: Run, service: FakeAdmin, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, key_file, _ = backup

    result = run("restore", str(file), "--recovery-key-file", str(key_file))

    assert result.exit_code == 5
    assert not (home / "vault").exists()


def test_a_wrong_key_restores_nothing(
    run: Run, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, key_file, _ = backup
    key_file.write_text(RecoveryKey.generate().printed())

    result = run("restore", str(file), "--recovery-key-file", str(key_file))

    assert result.exit_code == 3
    assert "does not open this backup" in result.stderr
    assert not (home / "vault").exists()


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [(b"not a key", 0o600, 3), (b"\xff\xfe", 0o600, 2), (b"Q" * 5000, 0o600, 2), (b"", 0o644, 5)],
)
def test_a_key_file_that_will_not_do_is_refused_without_showing_it(
    run: Run,
    home: Path,
    backup: tuple[Path, Path, RecoveryKey],
    content: bytes,
    mode: int,
    code: int,
) -> None:
    file, key_file, _ = backup
    key_file.write_bytes(content)
    key_file.chmod(mode)

    result = run("restore", str(file), "--recovery-key-file", str(key_file))

    assert result.exit_code == code
    assert "QQQ" not in result.stderr
    assert not (home / "vault").exists()


def test_without_a_terminal_a_key_file_is_asked_for(
    run: Run, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    result = run("restore", str(backup[0]))

    assert result.exit_code == 2
    assert "--recovery-key-file" in result.stderr


def test_the_key_comes_through_a_pipe(
    run: Run, home: Path, backup: tuple[Path, Path, RecoveryKey]
) -> None:
    file, _, key = backup
    reading, writing = os.pipe()
    os.write(writing, key.printed().encode())
    os.close(writing)

    result = run("restore", str(file), "--recovery-key-file", f"/dev/fd/{reading}")

    os.close(reading)
    assert result.exit_code == 0


def test_another_file_is_refused_before_a_key_is_asked_for(
    run: Run, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7" * 100)

    result = run("restore", str(tmp_path / "letter.pdf"))

    assert result.exit_code == 1
    assert "no backup" in result.stderr
    assert not (home / "vault").exists()
