"""The agent for launchd, held against what launchd.plist(5) says; no Mac has seen it yet."""

import plistlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.home import Home
from daemon.installing.errors import ManagerRefused
from daemon.installing.launchd_agent import (
    AGAIN_SECONDS,
    LABEL,
    AgentState,
    LaunchdInstallation,
    parse_print,
)
from daemon.installing.own_files import SIGN

# Keys of launchd.plist(5) that are used, and the type of each.
SCHEMA: dict[str, Any] = {
    "Label": str,
    "ProgramArguments": [str],
    "LimitLoadToSessionType": str,
    "ProcessType": str,
    "RunAtLoad": bool,
    "KeepAlive": {"SuccessfulExit": bool},
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "Umask": int,
    "HardResourceLimits": {"Core": int},
    "SoftResourceLimits": {"Core": int},
    "EnvironmentVariables": {str: str},
    "StandardErrorPath": str,
    "Sockets": {
        str: {"SockPathName": str, "SockPathMode": int, "SockType": str, "SockFamily": str}
    },
}

# `launchctl print gui/501/...`, macOS 14, shortened.
RUNNING = """gui/501/app.nightloom.service = {
\tactive count = 3
\tpath = /Users/a/Library/LaunchAgents/app.nightloom.service.plist
\ttype = LaunchAgent
\tstate = running

\tprogram = /opt/nightloom/bin/nightloom
\targuments = {
\t\t/opt/nightloom/bin/nightloom
\t\trun
\t}

\tdomain = gui/501 [100017]
\tasid = 100017
\tminimum runtime = 30
\texit timeout = 120
\truns = 1
\tpid = 4711
\timmediate reason = speculative
\tlast exit code = (never exited)

\tsockets = {
\t\t"api" = {
\t\t\tstate = not running
\t\t\tpid = 1
\t\t}
\t}
}
"""
STOPPED = """gui/501/app.nightloom.service = {
\tactive count = 0
\tstate = not running
\truns = 4
\tlast exit code = 78: EX_CONFIG
}
"""
MISSING = 'Could not find service "app.nightloom.service" in domain for user gui: 501\n'


@pytest.fixture
def agent(tmp_path: Path) -> LaunchdInstallation:
    return LaunchdInstallation(
        command=Path("/opt/nightloom/bin/nightloom"),
        home=Home.under(tmp_path / "home"),
        environ={"HOME": str(tmp_path)},
    )


def fits(value: object, schema: Any) -> bool:
    if isinstance(schema, type):
        return type(value) is schema
    if isinstance(schema, list):
        return isinstance(value, list) and all(fits(one, schema[0]) for one in value)
    if not isinstance(value, dict):
        return False
    if str in schema:
        return all(type(key) is str and fits(one, schema[str]) for key, one in value.items())
    return value.keys() == schema.keys() and all(fits(value[key], schema[key]) for key in value)


def test_the_agent_fits_the_schema(agent: LaunchdInstallation) -> None:
    told = plistlib.loads(agent.text().encode())

    assert fits(told, SCHEMA)
    assert not fits(told | {"Sockets": {"api": {}}}, SCHEMA)
    assert (told["LimitLoadToSessionType"], told["ProcessType"]) == ("Aqua", "Background")
    assert told["Sockets"]["api"]["SockPathName"] == str(agent.home.api_socket)
    assert {one["SockPathMode"] for one in told["Sockets"].values()} == {0o600}
    assert told["Umask"] == 0o077
    assert told["EnvironmentVariables"] == {"NIGHTLOOM_HOME": str(agent.home.root)}


def test_the_file_is_known_to_be_ours(agent: LaunchdInstallation) -> None:
    assert SIGN in agent.text()
    assert not agent.installed()
    agent.file.parent.mkdir(parents=True)
    agent.file.write_text(agent.text())
    assert agent.installed()
    assert agent.file.name == f"{LABEL}.plist"
    assert not agent.serves_another_home()
    assert replace(agent, home=Home.under(agent.home.vault)).serves_another_home()


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (RUNNING, AgentState(running=True, pid=4711)),
        (STOPPED, AgentState(running=False, last_exit_code=78)),
        (MISSING, AgentState(running=False)),
        ("", AgentState(running=False)),
    ],
)
def test_what_launchctl_prints_is_read(text: str, state: AgentState) -> None:
    assert parse_print(text) == state


def test_it_is_started_as_soon_as_the_old_one_is_gone(
    agent: LaunchdInstallation, tmp_path: Path
) -> None:
    """`bootout` returns at once; here the old one is gone after the third try."""
    tries = tmp_path / "tries"
    launchctl = tmp_path / "launchctl"
    launchctl.write_text(
        f'#!/bin/sh\n[ "$1" = bootstrap ] || exit 3\necho >> {tries}\n'
        f"[ $(wc -l < {tries}) -ge 4 ] || exit 37\n"
    )
    launchctl.chmod(0o700)
    waited: list[float] = []
    played = replace(agent, launchctl=launchctl, wait=waited.append)

    assert played.install() == [agent.file]
    assert waited == list(AGAIN_SECONDS[:3])

    tries.unlink()
    launchctl.write_text("#!/bin/sh\nexit 5\n")
    with pytest.raises(ManagerRefused):
        played.install()
    assert sum(waited[3:]) >= 120
