"""`nightloom service` where there is no systemd for the user, as in a container, and around it."""

import json
import sys
from pathlib import Path

import pytest

from daemon.cli.errors import FileInTheWay, NoServiceManager, ServiceInForeground
from daemon.cli.exits import ExitCode, exit_code
from daemon.cli.service_status import would_start
from daemon.home import Home
from daemon.installing import installation
from daemon.installing.completions import IN_HOME
from daemon.installing.errors import ManagerRefused
from daemon.installing.manual import PAGE
from daemon.installing.own_files import write
from daemon.installing.systemd_installation import SystemdInstallation
from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin

ASKED = [
    {"name": "RestrictAddressFamilies", "holds": True, "value": "opening a socket was refused"},
    {"name": "MemorySwapMax", "holds": False, "value": "no memory controller"},
]


@pytest.fixture(autouse=True)
def a_users_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the real user is looked at, and no systemd is found."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home / "user"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "nothing"))
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.fixture
def vault(home: Path) -> Path:
    (home / "vault").mkdir()
    (home / "vault" / "vault.db").write_text("sealed")
    return home / "vault"


def test_without_a_manager_it_says_how_to_run_in_the_foreground(run: Run, vault: Path) -> None:
    result = run("service", "install")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "`nightloom run`" in result.stderr
    assert "systemd" in result.stderr
    assert not (vault.parent / "user").exists()  # nothing was written


def test_uninstalling_leaves_the_vault_and_says_where(run: Run, home: Path, vault: Path) -> None:
    from daemon.cli.root import nightloom, version

    found = installation.installation(Home.under(home), {"HOME": str(home / "user")})
    written = [
        *write(
            home / "user/.config/systemd/user",
            {"nightloom.service": "# Made by nightloom\n",
             "nightloom.service.d/10-home.conf": f'# Made by nightloom\n"NIGHTLOOM_HOME={home}"\n'},
        ),
        *installation.install_help(found, nightloom, version=version()),
    ]  # fmt: skip

    result = run("service", "uninstall")

    assert result.exit_code == 0
    assert f"The vault stays in {vault}" in result.stdout
    assert [path for path in written if path.exists()] == []
    assert (vault / "vault.db").exists()
    assert "No service was installed" in run("service", "uninstall").stdout


def test_what_the_manager_linked_goes_too_when_it_cannot_be_asked(home: Path, run: Run) -> None:
    units = home / "user/.config/systemd/user"
    write(
        units,
        {
            "nightloom.service": "# Made by nightloom\n",
            "nightloom.service.d/10-home.conf": f'# Made by nightloom\n"NIGHTLOOM_HOME={home}"',
        },
    )
    (units / "default.target.wants").mkdir()
    (units / "default.target.wants/nightloom.service").symlink_to(units / "nightloom.service")

    assert run("service", "uninstall").exit_code == 0

    assert list(units.iterdir()) == []


def test_the_service_of_another_home_stays(home: Path, run: Run, vault: Path) -> None:
    written = write(
        home / "user/.config/systemd/user", {"nightloom.service": "# Made by nightloom\n"}
    )

    assert run("service", "uninstall", "--purge", "--yes").exit_code == 0

    assert written[0].exists()
    assert not vault.exists()


def test_a_folder_that_is_not_nightlooms_is_not_purged(home: Path, run: Run) -> None:
    (home / "vault").mkdir()
    (home / "vault" / "policy.hcl").touch()

    result = run("service", "uninstall", "--purge", "--yes")

    assert result.exit_code == ExitCode.REFUSED
    assert "NIGHTLOOM_HOME" in result.stderr
    assert (home / "vault" / "policy.hcl").exists()


@pytest.mark.usefixtures("service", "vault")
def test_a_service_in_the_foreground_is_not_pushed_aside(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemdInstallation, "problem", lambda _: None)

    result = run("service", "install")

    assert result.exit_code == ExitCode.REFUSED
    assert "Ctrl-C" in result.stderr


def test_a_service_that_cannot_be_stopped_is_not_taken_away(
    home: Path, run: Run, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise ManagerRefused

    monkeypatch.setattr(SystemdInstallation, "uninstall", refuse)

    result = run("service", "uninstall", "--purge", "--yes")

    assert result.exit_code == ExitCode.FAILED
    assert "could not be stopped" in result.stderr
    assert vault.exists()


def test_help_that_a_package_brought_is_not_written_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.cli.root import nightloom

    found = installation.installation(Home.under(home), {"HOME": str(home / "user")})
    monkeypatch.setattr(SystemdInstallation, "is_packaged", lambda _: True)

    assert installation.install_help(found, nightloom, version="1") == []


def test_purging_asks_first_and_without_a_terminal_does_nothing(run: Run, vault: Path) -> None:
    result = run("service", "uninstall", "--purge")

    assert result.exit_code == ExitCode.USAGE
    assert "--yes" in result.stderr
    assert (vault / "vault.db").exists()


def test_purging_removes_everything(run: Run, home: Path, vault: Path) -> None:
    (home / "config.toml").touch()
    (home / "letter").touch()  # not ours

    result = run("service", "uninstall", "--purge", "--yes", "--json")

    assert json.loads(result.stdout)["purged"] == [str(vault), str(home / "config.toml")]
    assert [path.name for path in home.iterdir()] == ["letter"]


@pytest.mark.usefixtures("service")
def test_a_home_that_is_served_is_not_purged(run: Run, vault: Path) -> None:
    result = run("service", "uninstall", "--purge", "--yes")

    assert result.exit_code == ExitCode.REFUSED
    assert "Ctrl-C" in result.stderr
    assert (vault / "vault.db").exists()


def test_status_in_a_container_says_why_there_is_no_service(run: Run) -> None:
    result = run("service", "status")

    assert result.exit_code == 0
    assert "There can be no installed service" in result.stdout
    assert "nothing was tried" in result.stdout


@pytest.mark.parametrize(
    ("service", "socket", "starts"),
    [
        ("inactive", "active", True),
        ("activating", "active", True),  # it may do so for ever
        ("active", "active", False),
        ("inactive", "inactive", False),  # then one in the foreground may answer
    ],
)
def test_looking_does_not_start_a_service_that_was_stopped(
    service: str, socket: str, starts: bool
) -> None:
    units = {"nightloom.service": {"active": service}, "nightloom-api.socket": {"active": socket}}

    assert would_start(units) is starts
    assert not would_start({})


@pytest.mark.usefixtures("service")
def test_in_the_foreground_nothing_was_asked_for(run: Run) -> None:
    assert "no unit asked for anything" in run("service", "status").stdout


def test_what_the_unit_asked_for_is_shown_with_what_trying_it_gave(
    run: Run, service: FakeAdmin
) -> None:
    service.status_answer = {**fake_service.STATUS, "confinement": ASKED, "network_denied": True}

    shown = run("service", "status").stdout

    assert "✓  RestrictAddressFamilies  opening a socket was refused" in shown
    assert "✗  MemorySwapMax" in shown
    assert "✓  the engine's network" in shown
    assert json.loads(run("service", "status", "--json").stdout)["confinement"] == ASKED


def test_the_errors_say_what_to_do_next() -> None:
    assert "`nightloom run` (no systemd)." in str(NoServiceManager("no systemd"))
    assert str(FileInTheWay(Path("/a/b"))).endswith("(/a/b).")
    assert exit_code(ServiceInForeground()) is ExitCode.REFUSED


def test_help_files_lie_in_the_users_data_folder(home: Path) -> None:
    from daemon.cli.root import nightloom

    made = installation.help_files(nightloom, version="1")

    assert set(made) == {*IN_HOME.values(), PAGE}
