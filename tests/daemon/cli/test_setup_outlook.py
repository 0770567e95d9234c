"""What the guide says of nights, and of the trial of the slots, as sentences."""

from dataclasses import replace

import pytest

from daemon.cli import text
from daemon.cli.setup_outlook import (
    Outlook,
    finding_rows,
    heat_line,
    night_seconds,
    outlook_lines,
    when_line,
)
from daemon.cli.setup_trial import Trial, advice
from daemon.cli.setup_vault import trial_text
from daemon.conditions.host_facts import HostFacts, night_findings
from daemon.config import parse_config
from storage import keyring_keeper

NIGHT = Outlook(
    night_seconds=8 * 3600,
    tokens_per_second=100.0,
    passes=4,
    older=1.5,
    waiting_tokens=1_000_000,
    enough=True,
)


def test_nights_are_counted_until_all_is_learned() -> None:
    # 2,880,000 tokens a night, six of them for each of new text
    assert NIGHT.new_tokens == 480_000
    assert NIGHT.nights == 3
    whole, waiting = outlook_lines(NIGHT)
    assert "(8 h 00 min)" in whole
    assert "2.9 million tokens" in whole
    assert "480,000 tokens of new text, read 4 times" in whole
    assert waiting.endswith("all is learned after about 3 nights.")


@pytest.mark.parametrize(
    ("waiting", "enough", "said"),
    [
        (480_000, True, "one night learns them; training takes about 8 h 00 min of it."),
        (1_000, True, "one night learns them; training takes about a minute of it."),
        (900, False, "too few for a night yet."),
        (0, False, "too few for a night yet."),
    ],
)
def test_what_waits_is_a_matter_of_one_night_or_of_none(
    waiting: int, enough: bool, said: str
) -> None:
    lines = outlook_lines(replace(NIGHT, waiting_tokens=waiting, enough=enough))

    assert lines[-1].endswith(said)


def test_what_is_not_known_is_not_made_up() -> None:
    assert "nightloom doctor" in outlook_lines(replace(NIGHT, tokens_per_second=None))[0]
    assert len(outlook_lines(replace(NIGHT, waiting_tokens=None))) == 1


@pytest.mark.parametrize(
    ("settings", "hours"),
    [
        ("", 8.0),
        ('window = "22:00-23:30"', 1.5),
        ('window = "mon-fri 22:00-02:00, sat-sun 23:00-05:00"', 6.0),
        ('window = "00:00-00:00"\nminutes = 1440', 24.0),
        ("minutes = 30", 0.5),
    ],
)
def test_a_night_is_as_long_as_its_window_and_its_limit_let_it(settings: str, hours: float) -> None:
    assert night_seconds(parse_config(f"[night]\n{settings}")) == hours * 3600


def test_when_it_works_is_what_the_settings_say() -> None:
    said = when_line(
        parse_config('[night]\nwindow = "23:00-05:00"\n[conditions]\nidle_minutes = 9')
    )

    assert "at 23:00-05:00" in said
    assert "for 9 minutes" in said
    assert "only by `nightloom night run --now`" in when_line(
        parse_config("[night]\nautomatic = false")
    )


def test_heat_pauses_only_where_it_is_measured() -> None:
    assert "Above 85 °C it pauses" in heat_line(8, 85.0)
    assert "pauses" not in heat_line(8, None)
    assert "one core computes" in heat_line(1, 85.0)


def test_a_lid_and_a_logout_are_named_with_what_to_do() -> None:
    facts = HostFacts(lid=True, lid_action="suspend", lingers=False, can_sleep=True)

    lid, logout = finding_rows(night_findings(facts))

    assert lid.startswith("· lid: closing it ends a night (suspend).")
    assert "HandleLidSwitchExternalPower=ignore" in lid
    assert "`loginctl enable-linger`" in logout


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (keyring_keeper.LOCKED, "Log in to the desktop"),
        (keyring_keeper.ABSENT, "desktop session"),
        (keyring_keeper.EMPTY, "`nightloom key remove keyring`"),
        ("anything else", "`nightloom key add keyring`"),
    ],
)
def test_a_slot_that_does_not_open_says_what_to_do(reason: str, said: str) -> None:
    shown = trial_text(Trial(by=None, reasons={"keyring": reason}))

    assert reason in shown
    assert said in shown
    assert "`nightloom setup vault` tries again" in shown
    assert said in advice("keyring", reason)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "7"),
        (99, "99"),
        (100, "100"),
        (149, "150"),
        (7_508, "7,500"),
        (999_999, "1,000,000"),
        (3_141_592, "3.1 million"),
        (19_400_000, "19 million"),
    ],
)
def test_an_estimate_has_two_digits(value: float, said: str) -> None:
    assert text.about(value) == said
