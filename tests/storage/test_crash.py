"""Killed at any moment, the vault opens again with everything that was acknowledged."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import VaultMissing
from storage.records import DocumentState
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, publish, put, reopen

ROOT = Path(__file__).resolve().parents[2]
COMMIT = ["commit:before", "commit:after", "witness:written"]
FILE = ["file:written", "file:renamed"]


def killed(folder: Path, work: str, moment: str, occurrence: int = 1) -> list[str]:
    """Run `work` in a process of its own until it is killed; what it acknowledged."""
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.storage.crashing",
            str(folder),
            work,
            moment,
            str(occurrence),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, "the moment never came"
    return process.stdout.split()


@pytest.mark.parametrize("moment", COMMIT)
@pytest.mark.parametrize("occurrence", [1, 4])
def test_a_kill_while_collecting_loses_nothing_acknowledged(
    vault: Vault, folder: Path, moment: str, occurrence: int
) -> None:
    vault.close()
    acknowledged = killed(folder, "ingest", moment, occurrence)
    with reopen(folder) as again:
        kept = {head.document_id for head in again.documents.heads()}
        assert kept >= {int(number) for number in acknowledged}
        assert again.verify().intact
        assert not again.opening.witness_missing
        assert put(again, "afterwards", "/new.md").document_id == max(kept, default=0) + 1
    assert len(acknowledged) == occurrence - 1
    assert len(kept) == occurrence - (moment == "commit:before")


@pytest.mark.parametrize("moment", FILE + COMMIT)
def test_a_kill_while_publishing_leaves_the_old_adapter_or_the_new_one(
    vault: Vault, folder: Path, moment: str
) -> None:
    put(vault, "text")
    first = publish(vault, b"first")
    vault.ledger.begin_night({"state": "publishing"})
    vault.close()
    assert killed(folder, "publish", moment) == []
    with reopen(folder) as again:
        current = again.shelf.current()
        assert current is not None
        moved = current.sha256 != first.sha256
        assert moved == (moment in ("commit:after", "witness:written"))
        assert again.shelf.weights(current.sha256) == (b"second" * 20_000 if moved else b"first")
        # What belongs together has moved together.
        learned = again.documents.counts()[DocumentState.LEARNED]
        assert learned == int(moved)
        assert again.ledger.night(1)["state"] == ("done" if moved else "publishing")
        assert again.verify().intact
        assert len(list((folder / "files" / "adapters").iterdir())) == 1 + moved


@pytest.mark.parametrize("moment", FILE + COMMIT)
def test_a_kill_while_a_checkpoint_is_replaced_leaves_a_whole_one(
    vault: Vault, folder: Path, moment: str
) -> None:
    vault.checkpoints.write("night", [b"old"])
    vault.close()
    assert killed(folder, "checkpoint", moment) == []
    with reopen(folder) as again:
        expected = b"new" * 50_000 if moment in ("commit:after", "witness:written") else b"old"
        assert again.checkpoints.read("night") == expected
        assert len(list((folder / "files" / "checkpoints").iterdir())) == 1
        assert again.verify().intact


def test_a_kill_while_a_vault_is_made_leaves_none_and_it_can_be_made_again(folder: Path) -> None:
    killed(folder, "create", "create:before-rename")
    with pytest.raises(VaultMissing):
        reopen(folder)
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        assert vault.verify().intact
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_slot_file_that_a_kill_left_unfinished_is_taken_away(vault: Vault, folder: Path) -> None:
    vault.close()
    (folder / "slots.json.tmp").write_bytes(b"half of a new o")
    reopen(folder).close()
    assert not (folder / "slots.json.tmp").exists()
