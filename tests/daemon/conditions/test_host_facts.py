"""What ends nights without anybody meaning it, read from files as real systems have them."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.conditions.host_facts import HostFacts, night_findings, read_host_facts
from daemon.conditions.host_settings import (
    can_sleep,
    gnome_sleep_minutes,
    lid_action,
    lingers,
    mac_sleep_minutes,
    parse_section,
    printed,
    settings_files,
)
from tests.daemon.conditions.telling import files

LAPTOP = HostFacts(
    lid=True, lid_closed=False, lid_action="suspend", lingers=False, sleeps_when_idle=False,
    can_sleep=True, sensor=True,
)  # fmt: skip


def said(facts: HostFacts) -> dict[str, bool | None]:
    return {one.name: one.holds for one in night_findings(facts)}


# --------------------------------------------------------------------------- what is said of it


def test_a_usual_laptop_is_told_of_its_lid_and_of_logging_out() -> None:
    found = {one.name: one for one in night_findings(LAPTOP)}

    assert said(LAPTOP) == {"lid": None, "logout": None, "sleep": True, "temperature": True}
    assert "HandleLidSwitchExternalPower=ignore" in found["lid"].advice
    assert "loginctl enable-linger" in found["logout"].advice


@pytest.mark.parametrize(
    ("facts", "name", "holds"),
    [
        (replace(LAPTOP, lid_action="ignore"), "lid", True),
        (replace(LAPTOP, lid_action="lock"), "lid", True),
        (replace(LAPTOP, lid_action="poweroff"), "lid", None),
        (replace(LAPTOP, can_sleep=False), "lid", True),
        (replace(LAPTOP, lid_action="poweroff", can_sleep=False), "lid", None),
        (replace(LAPTOP, lingers=True), "logout", True),
        (replace(LAPTOP, sleeps_when_idle=True), "sleep", None),
        (replace(LAPTOP, sleeps_when_idle=True, can_sleep=False), "sleep", True),
        (replace(LAPTOP, sleep_minutes=15), "sleep", None),
        (replace(LAPTOP, sleep_minutes=0), "sleep", True),
        (replace(LAPTOP, sleep_minutes=15, can_sleep=False), "sleep", True),
        (replace(LAPTOP, sensor=False), "temperature", None),
    ],
)
def test_each_setting_changes_what_is_said_of_it(
    facts: HostFacts, name: str, holds: bool | None
) -> None:
    assert said(facts)[name] is holds
    advised = next(one for one in night_findings(facts) if one.name == name).advice
    assert bool(advised) is (holds is None and name != "temperature")


def test_what_is_not_known_is_not_spoken_of() -> None:
    assert night_findings(HostFacts()) == []
    assert night_findings(HostFacts(lid=False, lid_action="suspend")) == []


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("login", "action"),
    [
        ("", "suspend"),
        ("[Login]\n#HandleLidSwitch=ignore\n; HandleLidSwitch=lock\n", "suspend"),
        ("[Login]\nHandleLidSwitch=ignore\n", "ignore"),
        ("[Login]\nHandleLidSwitch = ignore\nHandleLidSwitchExternalPower=hibernate", "hibernate"),
        ("[Login]\nHandleLidSwitch=lock\nHandleLidSwitch=\n", "suspend"),
        ("[Other]\nHandleLidSwitch=ignore\n", "suspend"),
    ],
)
def test_the_lid_does_on_ac_what_logind_is_told(login: str, action: str) -> None:
    assert lid_action(parse_section([login], "Login")) == action


def test_pieces_of_settings_count_in_the_order_of_their_names_and_mask_each_other(
    tmp_path: Path,
) -> None:
    root = files(
        tmp_path,
        {
            "usr/lib/systemd/logind.conf": "not read, since the first one is there",
            "etc/systemd/logind.conf": "main",
            "usr/lib/systemd/logind.conf.d/10-vendor.conf": "masked",
            "etc/systemd/logind.conf.d/10-vendor.conf": "ten",
            "run/systemd/logind.conf.d/20-run.conf": "twenty",
            "etc/systemd/logind.conf.d/05-own.conf": "five",
            "etc/systemd/logind.conf.d/README": "none",
        },
    )

    read = [text.strip() for text in settings_files(root, "logind.conf")]

    assert read == ["main", "five", "ten", "twenty"]


def test_sleep_is_forbidden_by_settings_or_by_a_masked_unit(tmp_path: Path) -> None:
    assert can_sleep(tmp_path)
    settings = files(
        tmp_path / "one", {"etc/systemd/sleep.conf.d/no.conf": "[Sleep]\nAllowSuspend=no"}
    )
    assert not can_sleep(settings)
    unit = tmp_path / "etc/systemd/system/suspend.target"
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    assert not can_sleep(tmp_path)


# --------------------------------------------------------------------------- machines


def test_a_laptop_is_read_from_its_files(tmp_path: Path) -> None:
    root = files(
        tmp_path,
        {
            "run/systemd/system/.is": "",
            "proc/acpi/button/lid/LID0/state": "state:      open",
            "etc/systemd/logind.conf": "[Login]\nIdleAction=suspend\nIdleActionSec=20min",
            "var/lib/systemd/linger/ada": "",
            "sys/class/hwmon/hwmon0/name": "coretemp",
            "sys/class/hwmon/hwmon0/temp1_input": "40000",
        },
    )

    read = read_host_facts(root=root, user="ada", platform="linux", environ={})

    assert read == HostFacts(
        lid=True, lid_closed=False, lid_action="suspend", lingers=True, sleeps_when_idle=True,
        can_sleep=True, sensor=True,
    )  # fmt: skip
    assert lingers(root, "bob") is False


def test_a_tablet_says_by_its_form_that_it_can_be_closed(tmp_path: Path) -> None:
    files(tmp_path, {"sys/class/dmi/id/chassis_type": "31"})
    assert read_host_facts(root=tmp_path, user="ada", platform="linux").lid is True


def test_a_system_without_systemd_says_nothing_of_its_settings(tmp_path: Path) -> None:
    read = read_host_facts(root=tmp_path, user="ada", platform="linux", environ={})

    assert read == HostFacts(lid=False, sensor=False)
    assert read_host_facts(root=tmp_path, user="ada", platform="freebsd") == HostFacts()


# --------------------------------------------------------------------------- desktops, macOS


def test_a_desktop_that_puts_the_machine_to_sleep_is_told_how_not_to(tmp_path: Path) -> None:
    answers = {"sleep-inactive-ac-type": "'suspend'\n", "sleep-inactive-ac-timeout": "900\n"}
    read = read_host_facts(
        root=tmp_path,
        user="ada",
        platform="linux",
        environ={"XDG_CURRENT_DESKTOP": "ubuntu:GNOME"},
        ask=lambda command: answers.get(command[-1]),
    )
    (finding,) = (one for one in night_findings(read) if one.name == "sleep")

    assert read.sleep_minutes == 15
    assert "after 15 minutes" in finding.value
    assert "sleep-inactive-ac-type nothing" in finding.advice


@pytest.mark.parametrize(
    ("action", "seconds", "minutes"),
    [
        ("'suspend'\n", "1200\n", 20),
        ("'suspend'\n", "0\n", 0),
        ("'nothing'\n", "1200\n", 0),
        ("'hibernate'\n", "int32 1800\n", 30),
        ("'suspend'\n", "", None),
        ("", "900\n", None),
    ],
)
def test_what_gnome_is_set_to(action: str, seconds: str, minutes: int | None) -> None:
    assert gnome_sleep_minutes(action, seconds) == minutes


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        (" displaysleep         10\n sleep                1 (sleep prevented by powerd)\n", 1),
        (" Sleep On Power Button 1\n sleep                0\n", 0),
        ("pmset: unrecognised option\n", None),
    ],
)
def test_what_a_mac_is_set_to(said: str, minutes: int | None) -> None:
    assert mac_sleep_minutes(said) == minutes


def test_a_closed_mac_sleeps_and_a_logout_ends_nightloom() -> None:
    answers = {
        "batt": "Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t92%; charged; 0:00",
        "-g": "Currently in use:\n sleep                10\n",
    }
    read = read_host_facts(platform="darwin", ask=lambda command: answers[command[-1]])
    advice = {one.name: one.advice for one in night_findings(read)}

    assert read.lid is True
    assert set(advice) == {"lid", "logout", "sleep"}
    assert "pmset" in advice["sleep"]
    assert not any("systemd" in one or "loginctl" in one for one in advice.values())


def test_a_program_that_is_not_there_or_fails_prints_nothing() -> None:
    assert printed(["no-such-program-anywhere"]) is None
    assert printed(["false"]) is None
    assert printed(["echo", "well"]) == "well\n"


def test_this_machine_can_be_read() -> None:
    assert {one.name for one in night_findings(read_host_facts())} <= {
        "lid", "logout", "sleep", "temperature"
    }  # fmt: skip
