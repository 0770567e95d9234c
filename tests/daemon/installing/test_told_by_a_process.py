"""`nightloom run` as a manager would start it: what it is told, what it tells, what it tried."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from storage.keys import Argon2Parameters
from storage.vault import Vault
from tests.daemon.cli.conftest import Run, home, run

__all__ = ["home", "run"]  # fixtures

ROOT = Path(__file__).parents[3]
QUICK = Argon2Parameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
SECONDS = 60.0


def test_a_manager_hears_of_the_start_and_the_end_and_directives_are_tried(
    home: Path, run: Run
) -> None:
    vault, _ = Vault.create(home / "vault", passphrase="nine brown teapots", argon2=QUICK)
    vault.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(home / "notify"))
        manager.settimeout(SECONDS)
        asked = {"NOTIFY_SOCKET": str(home / "notify"), "WATCHDOG_USEC": "180000000",
                 "NIGHTLOOM_ASKED_UNIT": "UMask RestrictAddressFamilies"}  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-m", "daemon.cli", "run"],
            cwd=ROOT,
            env={**os.environ, **asked},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            umask=0o077,
        ) as process:
            try:
                assert manager.recv(4096).decode() == "READY=1\nSTATUS=locked; engine stopped"
                assert manager.recv(4096).decode() == "WATCHDOG=1"
                status = json.loads(run("status", "--json").stdout)
                process.send_signal(signal.SIGTERM)
                told = [manager.recv(4096).decode() for _ in range(2)]
                _, log = process.communicate(timeout=SECONDS)
            finally:
                process.kill()

    assert told == ["STATUS=locked; engine stopped", "STOPPING=1"]
    found = {one["name"]: one["holds"] for one in status["confinement"]}
    assert found == {"UMask": True, "RestrictAddressFamilies": False}  # nobody denied it that
    assert "the unit's RestrictAddressFamilies is not in force" in log
    assert "service unit" in {warning["name"] for warning in status["warnings"]}
