"""What only happens on a real terminal: typed passphrases, and nights that are watched."""

import signal
import threading
from pathlib import Path

import pytest

from storage.keys import Passphrase
from storage.vault import Vault
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open


def test_a_passphrase_is_typed_twice_and_never_shown(terminal: Open, home: Path) -> None:
    init = terminal("init", "--no-keyring")
    init.wait_for("New passphrase:")
    init.type("nine brown teapots")
    init.wait_for("The same again:")
    init.type("nine brown teapots")

    assert init.end() == 0
    assert "Your vault is ready." in init.shown
    assert "teapots" not in init.shown
    Vault.open(home / "vault", Passphrase(text="nine brown teapots")).close()


@pytest.mark.parametrize(
    ("typed", "said"), [(["one", "two"], "not the same"), ([""], "passphrase is empty")]
)
def test_a_mistyped_passphrase_makes_no_vault(
    terminal: Open, home: Path, typed: list[str], said: str
) -> None:
    init = terminal("init", "--no-keyring")
    for line in typed:
        init.wait_for(":")
        init.type(line)

    assert init.end() != 0
    assert said in init.shown
    assert list(home.iterdir()) == []


def test_leaving_at_the_question_makes_no_vault(terminal: Open, home: Path) -> None:
    init = terminal("init", "--no-keyring")
    init.wait_for("New passphrase:")

    init.process.send_signal(signal.SIGINT)

    assert init.end() == 130
    assert list(home.iterdir()) == []


def test_a_night_on_a_terminal_has_bars(terminal: Open, service: FakeAdmin) -> None:
    night = terminal("night", "run", "--now")

    assert night.end() == 0
    assert "training" in night.shown
    assert "100 %" in night.shown
    assert "The night is done" in night.shown


def test_ctrl_c_stops_watching_a_night_and_not_the_night(
    terminal: Open, service: FakeAdmin
) -> None:
    go_on = threading.Event()
    ended = threading.Event()

    def hold() -> None:
        go_on.wait(10)
        ended.set()

    service.during_night = hold
    night = terminal("night", "run", "--now")
    night.wait_for("training")

    night.process.send_signal(signal.SIGINT)

    assert night.end() == 130
    assert "The night goes on without being watched" in night.shown
    assert "stop_night" not in [verb for verb, _ in service.asked]
    go_on.set()
    assert ended.wait(10)


def test_whose_writing_it_is_is_asked_for_a_folder(
    terminal: Open, service: FakeAdmin, tmp_path: Path
) -> None:
    adding = terminal("privacy", "sources", "add", str(tmp_path), "--no-wait")
    adding.wait_for("mostly your own writing?")
    adding.type("n")

    assert adding.end() == 0
    assert [facts["own"] for name, facts in service.asked if name == "add_source"] == [False]
