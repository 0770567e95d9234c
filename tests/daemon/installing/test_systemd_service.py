"""The service under a real systemd of a user, in namespaces of its own.

Needs what a container often forbids (root, mounts, systemd's control group), and is skipped there.
`make boot-test` does the same, and a night, on a booted Debian.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.installing.directives import UNIT
from storage.keys import Argon2Parameters
from storage.vault import Vault

ROOT = Path(__file__).parents[3]
QUICK = Argon2Parameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
SYSTEMD = Path("/lib/systemd/systemd")
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c")
GROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
# A machine of its own, as far as systemd looks: nobody else's mounts or groups are touched.
PLACE = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
for folder in $FOLDERS; do
    [ -w "$folder/cgroup.procs" ] || continue
    mkdir -p "$folder/$GROUP" && echo $$ >"$folder/$GROUP/cgroup.procs"
done
exec env -i HOME="$HOME" XDG_RUNTIME_DIR=/run/user/0 PATH="$PATH" bash -c "$STORY"
"""
STORY = """
{systemd} --user --log-target=null 2>/dev/null &
manager=$!
for _ in $(seq 300); do [ -S /run/user/0/systemd/private ] && break; sleep 0.1; done
systemctl --user is-system-running --wait >/dev/null
say() {{ printf '%s\\0' "$1"; shift; "$@" 2>&1; printf '\\0%s\\0' "$?"; }}
say install {nightloom} service install --json
say status {nightloom} service status --json
say sockets stat -c '%a' /run/user/0/nightloom/api /run/user/0/nightloom/api/api.sock \
    /run/user/0/nightloom/admin /run/user/0/nightloom/admin/admin.sock
systemctl --user stop nightloom.service
say activated {nightloom} status --json
say shown systemctl --user show nightloom -p StatusText -p NRestarts -p WatchdogUSec
say uninstall {nightloom} service uninstall --json
systemctl --user exit
wait $manager
"""


@dataclass(frozen=True)
class Told:
    """What a step of the story printed, and how it ended."""

    text: str
    code: int

    @property
    def json(self) -> Any:
        assert self.code == 0, self.text
        return json.loads(self.text)


def _can_be_alone() -> str | None:
    if sys.platform != "linux" or not SYSTEMD.exists():
        return "systemd is not here: apt-get install systemd"
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "namespaces with mounts are root's alone"
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs t /run"],
        capture_output=True,
        check=False,
    )
    if tried.returncode != 0:
        return "this container forbids mounts"
    if not any(os.access(f"{folder}/cgroup.procs", os.W_OK) for folder in GROUPS):
        return "this container's control groups are not its own"
    return None


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Told]]:
    """What each step of one story gave."""
    problem = _can_be_alone()
    if problem is not None:
        pytest.skip(problem)
    home = tmp_path_factory.mktemp("home")
    vault, _ = Vault.create(
        home / ".local/share/nightloom/vault", passphrase="nine brown teapots", argon2=QUICK
    )
    vault.close()
    group = f"nightloom-test-{os.getpid()}"
    story = STORY.format(systemd=SYSTEMD, nightloom=Path(sys.executable).parent / "nightloom")
    done = subprocess.run(
        [*UNSHARE, PLACE],
        cwd=ROOT,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "STORY": story,
             "FOLDERS": " ".join(GROUPS), "GROUP": group},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    words = done.stdout.split("\0")
    steps = {
        words[i].strip(): Told(text=words[i + 1], code=int(words[i + 2]))
        for i in range(0, len(words) - 2, 3)
    }
    if "install" not in steps:
        pytest.skip(f"no systemd of a user starts here: {done.stderr[-200:]}")
    yield steps
    for folder in GROUPS:
        for each in sorted(Path(folder, group).rglob("*"), reverse=True):
            if each.is_dir():
                each.rmdir()
        if Path(folder, group).is_dir():
            Path(folder, group).rmdir()


def test_the_service_is_installed_and_says_that_it_is_ready(told: dict[str, Told]) -> None:
    names = {Path(path).name for path in told["install"].json["files"]}
    status = told["status"].json

    assert told["install"].json["state"] == "locked"
    assert {"nightloom.service", "nightloom-api.socket", "20-memory.conf", "nightloom.1"} <= names
    assert {unit["active"] for unit in status["units"].values()} == {"active"}
    assert all(unit["enabled"] for unit in status["units"].values())
    assert status["units"]["nightloom.service"]["status"] == "locked; engine stopped"


def test_what_the_unit_forbids_is_forbidden_in_the_service(told: dict[str, Told]) -> None:
    found = {one["name"]: one for one in told["status"].json["confinement"]}

    assert {one.name for one in UNIT} <= found.keys()
    failing = {name for name, one in found.items() if one["holds"] is False}
    assert failing <= {"MemoryHigh", "MemorySwapMax"}  # a controller that not every host gives
    assert "AF_INET" in found["RestrictAddressFamilies"]["value"]


def test_the_sockets_and_their_folders_are_the_users_alone(told: dict[str, Told]) -> None:
    assert told["sockets"].text.split() == ["700", "600", "700", "600"]


def test_a_question_starts_a_service_that_was_stopped(told: dict[str, Told]) -> None:
    assert told["activated"].json["state"] == "locked"
    assert "NRestarts=0" in told["shown"].text
    assert "WatchdogUSec=3min" in told["shown"].text


def test_uninstalling_takes_all_of_it_away_but_the_vault(told: dict[str, Told]) -> None:
    gone = told["uninstall"].json

    assert sorted(gone["files"]) == sorted(told["install"].json["files"])
    assert Path(gone["vault"], "slots.json").exists()
