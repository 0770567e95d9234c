"""`nightloom run` with the real service: when it serves, and when it declines to."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.keys import Argon2Parameters
from storage.vault import Vault
from tests.daemon.cli.conftest import Run

ROOT = Path(__file__).parents[3]
WORDS = "nine brown teapots"
QUICK = Argon2Parameters(time_cost=1, memory_kib=8 * 1024, lanes=1)


@pytest.fixture
def vault(home: Path) -> Path:
    """A vault in the home, opened by WORDS."""
    made, _ = Vault.create(home / "vault", passphrase=WORDS, argon2=QUICK)
    made.close()
    return home / "vault"


@pytest.fixture
def children() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def service(children: ExitStack, folder: Path, passphrase: str = WORDS) -> "subprocess.Popen[str]":
    """`nightloom run` as a process of its own, with the passphrase in a file."""
    file = folder / f"passphrase {len(passphrase)}"
    file.touch(mode=0o600)
    file.write_text(passphrase)
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "run", "--passphrase-file", str(file)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    children.callback(process.communicate)
    children.callback(process.kill)
    return process


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=15)
    return process.returncode, out, errors


def test_ready_is_said_when_the_service_can_be_asked_and_ctrl_c_ends_it(
    vault: Path, children: ExitStack, tmp_path: Path, run: Run
) -> None:
    process = service(children, tmp_path)
    assert process.stdout is not None

    assert process.stdout.readline() == "ready\n"
    status = run("status", "--json")
    process.send_signal(signal.SIGINT)

    assert status.exit_code == 0
    assert json.loads(status.stdout)["engine"] == "stopped"
    assert ended(process)[0] == 0
    assert run("status").exit_code == 4


def test_a_wrong_passphrase_leaves_the_vault_locked_and_unchanged(
    vault: Path, children: ExitStack, tmp_path: Path
) -> None:
    before = (vault / "slots.json").read_bytes()

    code, out, errors = ended(service(children, tmp_path, "ten brown teapots"))

    assert (code, out) == (3, "")
    assert errors.splitlines()[-1].startswith("nightloom: The passphrase does not open this vault")
    assert "teapots" not in errors
    assert (vault / "slots.json").read_bytes() == before


def test_a_second_service_on_the_same_home_is_refused_and_the_first_goes_on(
    vault: Path, children: ExitStack, tmp_path: Path, run: Run
) -> None:
    first = service(children, tmp_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n"

    code, out, errors = ended(service(children, tmp_path))

    assert (code, out) == (5, "")
    assert f"process {first.pid}" in errors
    assert run("status").exit_code == 0


def test_mistakes_in_the_configuration_are_all_named_with_their_lines(
    vault: Path, home: Path, children: ExitStack, tmp_path: Path
) -> None:
    (home / "config.toml").write_text('[night]\nminutes = "many"\n[engine]\nthreds = 2\n')

    code, out, errors = ended(service(children, tmp_path))

    assert (code, out) == (2, "")
    assert "line 2: 'minutes'" in errors
    assert "line 4: 'threds'" in errors
