"""The one line that says it all."""

import pytest

from daemon.cli.headline import headline
from daemon.cli.output import Json
from tests.daemon.cli.fake_service import NIGHT

PRESENCE = {"name": "presence", "value": "last input 10 s ago"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"state": "waiting", "waits_for": None}, "Nothing is in the way of a night."),
        (
            {"state": "waiting", "waits_for": PRESENCE},
            "No night works now: presence is last input 10 s ago.",
        ),
        (
            {"state": "yielding", "waits_for": PRESENCE},
            "A night is held: presence is last input 10 s ago.",
        ),
        ({"state": "training", "waits_for": None}, "A night works: training."),
        ({"state": "locked"}, "Locked: `nightloom unlock` opens the vault."),
    ],
)
def test_it_says_what_goes_on_and_what_is_in_the_way(status: Json, said: str) -> None:
    assert headline(status) == said


@pytest.mark.parametrize(
    ("night", "words"),
    [
        ({}, "learned from 80,000 tokens: held-out loss -15.0 %."),
        ({"state": "refused"}, "was refused, so nothing changed."),
        ({"state": "failed"}, "failed; `nightloom night log` says why."),
        ({"state": "training"}, "has not ended yet."),
    ],
)
def test_it_ends_with_the_last_night(night: Json, words: str) -> None:
    assert headline({"state": "waiting", "last_night": NIGHT | night}).endswith(words)


def test_what_the_service_says_cannot_drive_the_terminal() -> None:
    status = {"state": "waiting", "waits_for": {"name": "a\x1b[2J", "value": "b\x07"}}

    assert "\x1b" not in headline(status)
    assert "\x07" not in headline(status)
