"""The units: what stands in packaging/, what systemd says of them, what of them is tried."""

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.cli.exits import ExitCode
from daemon.home import Home
from daemon.installing.directives import BESIDE, MEMORY_HIGH, NAMESPACES, UNIT, take_asked
from daemon.installing.proving import PROBES
from daemon.installing.systemd_installation import SystemdInstallation
from daemon.installing.systemd_units import (
    ADMIN_SOCKET,
    API_SOCKET,
    NO_RESTART,
    SERVICE,
    UNITS,
    Placed,
    drop_ins,
    quoted,
    service_unit,
    units,
)

PACKAGING = Path(__file__).parents[3] / "packaging"
COMMAND = Path("/opt/nightloom/bin/nightloom")
ALL = Placed(memory_high_bytes=2_000_000_000, namespaces=True, writable=(Path("/home/a b"),))
# of a unit's [Service], those that say how it runs and deny nothing
RUNNING = {"Type", "ExecStart", "Restart", "RestartSec", "RestartPreventExitStatus", "WatchdogSec",
           "TimeoutStopSec", "KillMode", "OOMPolicy", "Environment"}  # fmt: skip


def settings(text: str, section: str) -> list[tuple[str, str]]:
    """Name and value of each line in a section."""
    found = []
    current = ""
    for line in text.splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == section and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.append((name, value))
    return found


def environment(text: str) -> dict[str, str]:
    values = [
        value.strip('"') for name, value in settings(text, "Service") if name == "Environment"
    ]
    return dict(value.split("=", 1) for value in values)


def test_packaging_holds_what_the_code_makes() -> None:
    made = runpy.run_path(str(PACKAGING / "units.py"))["files"]()

    found = {
        path.relative_to(PACKAGING).as_posix(): path.read_text("utf-8")
        for folder in ("systemd", "launchd")
        for path in (PACKAGING / folder).rglob("*")
        if path.is_file()
    }
    assert found == made, "run `python packaging/units.py`"


def test_everything_that_a_unit_forbids_is_named_and_tried() -> None:
    for text in (service_unit(COMMAND), *drop_ins(ALL).values()):
        forbids = {name for name, _ in settings(text, "Service")} - RUNNING - BESIDE.keys()
        assert forbids == set(take_asked(environment(text)))
        assert forbids <= PROBES.keys()
    named = {one.name for one in (*UNIT, *NAMESPACES)} | {MEMORY_HIGH}
    assert named == PROBES.keys()


def test_what_is_asked_for_is_taken_out_of_the_environment() -> None:
    environ = {"NIGHTLOOM_ASKED_UNIT": "A B", "NIGHTLOOM_ASKED_MEMORY": "C", "HOME": "/"}

    assert take_asked(environ) == ("C", "A", "B")
    assert environ == {"HOME": "/"}


def test_the_sockets_are_the_users_alone_and_have_the_names_that_are_looked_for() -> None:
    made = units(COMMAND)
    for unit, name in ((API_SOCKET, "api"), (ADMIN_SOCKET, "admin")):
        told = dict(settings(made[unit], "Socket"))
        assert told["ListenStream"] == f"%t/nightloom/{name}/{name}.sock"
        assert told["FileDescriptorName"] == name
        assert (told["SocketMode"], told["DirectoryMode"]) == ("0600", "0700")


def test_what_trying_again_cannot_mend_is_not_tried_again() -> None:
    assert {*NO_RESTART} == {ExitCode.USAGE, ExitCode.LOCKED, ExitCode.REFUSED}


def test_words_that_systemd_would_read_otherwise_are_quoted() -> None:
    assert quoted('/a b/100%/"c"\\d') == '"/a b/100%%/\\"c\\"\\\\d"'


# --------------------------------------------------------------------------- one user's


def installed(environ: dict[str, str], packaged: Path = Path("/nowhere")) -> SystemdInstallation:
    home = Home.from_environment(environ)
    return SystemdInstallation(command=COMMAND, home=home, environ=environ, packaged=packaged)


def test_in_the_usual_home_the_units_are_enough() -> None:
    at = installed({"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/1"})

    assert at.files(memory_high_bytes=None, namespaces=False) == units(COMMAND)
    assert at.folder == Path("/home/a/.config/systemd/user")
    # a shell of `su` lacks the variable, the service has it all the same
    assert installed({"HOME": "/home/a"}).files(memory_high_bytes=None, namespaces=False) == units(
        COMMAND
    )


def test_another_home_is_told_to_the_service_and_to_both_sockets() -> None:
    at = installed({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/1", "NIGHTLOOM_HOME": "/my/50%"})

    made = at.files(memory_high_bytes=5, namespaces=True)

    assert environment(made[f"{SERVICE}.d/10-home.conf"]) == {"NIGHTLOOM_HOME": "/my/50%%"}
    assert settings(made[f"{API_SOCKET}.d/10-home.conf"], "Socket") == [
        ("ListenStream", ""),
        ("ListenStream", "/my/50%%/run/api/api.sock"),
    ]
    assert ("MemoryHigh", "5") in settings(made[f"{SERVICE}.d/20-memory.conf"], "Service")
    writable = dict(settings(made[f"{SERVICE}.d/30-namespaces.conf"], "Service"))
    assert writable["ReadWritePaths"] == '"-/my/50%%"'


def test_units_that_a_package_brought_are_not_written_again(tmp_path: Path) -> None:
    environ = {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/1"}
    assert not installed(environ, tmp_path).is_packaged()
    (tmp_path / SERVICE).write_text(service_unit(COMMAND))
    assert installed(environ, tmp_path).files(memory_high_bytes=None, namespaces=False) == {}
    (tmp_path / SERVICE).write_text(service_unit(Path("/another/nightloom")))
    assert not installed(environ, tmp_path).is_packaged()


# --------------------------------------------------------------------------- systemd's own word


def analyze(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    command = folder / "nightloom"
    command.touch()
    command.chmod(0o755)
    for name, text in (units(command) | drop_ins(ALL)).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    environ = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "LC_ALL": "C"}
    return subprocess.run(
        [tool, "--user", *words], cwd=folder, env=environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    done = analyze(tmp_path, "--man=no", "verify", *(f"./{name}" for name in UNITS))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_exposure_that_systemd_counts_is_the_recorded_one(tmp_path: Path) -> None:
    recorded = re.search(r"exposure of (\d\.\d)", (PACKAGING / "README.md").read_text("utf-8"))
    assert recorded

    done = analyze(tmp_path, "security", "--offline=yes", "--no-pager", f"./{SERVICE}")

    counted = re.search(r"exposure level.*: (\d+\.\d)", done.stdout)
    if counted is None:
        pytest.skip("this systemd counts no exposure of a file (version 250 does)")
    assert float(counted[1]) <= float(recorded[1]) + 0.5  # each version counts a little otherwise


def test_units_lie_where_systemd_looks_whatever_only_a_shell_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`XDG_CONFIG_HOME` of a .bashrc names a folder that the user's systemd has not heard of; what
    the service needs of it stands in the drop-in."""
    usual, moved = tmp_path / ".config/systemd/user", tmp_path / "moved/systemd/user"
    asked = tmp_path / "bin" / "systemctl"
    asked.parent.mkdir()
    monkeypatch.setenv("PATH", f"{asked.parent}:{os.environ['PATH']}")

    def folder(script: str) -> Path:
        asked.write_text(f"#!/bin/sh\n{script}\n")
        asked.chmod(0o700)
        environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "moved")}
        home = Home.from_environment(environ)
        found = SystemdInstallation(command=COMMAND, home=home, environ=environ)
        drop_in = found.files(memory_high_bytes=None, namespaces=False)[f"{SERVICE}.d/10-home.conf"]
        assert environment(drop_in) == {"XDG_CONFIG_HOME": environ["XDG_CONFIG_HOME"]}
        return found.folder

    assert folder(f"echo UnitPath=/etc/systemd/user {usual}") == usual
    assert folder(f"echo UnitPath=/etc/systemd/user {moved}") == moved
    assert folder("exit 1") == moved  # nobody says otherwise
