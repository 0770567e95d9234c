"""What only happens on a real terminal: typed passphrases, and a conversation with a prompt."""

import signal
import threading
from pathlib import Path

import pytest

from storage.keys import Passphrase
from storage.vault import Vault
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel
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


def test_ctrl_c_at_the_prompt_names_the_way_out_and_ctrl_d_is_it(
    terminal: Open, service: FakeAdmin, model: FakeModel
) -> None:
    chat = terminal("chat")
    chat.wait_for("you> ")
    chat.type("Good morning")
    chat.wait_for("So much for Sunday.")
    chat.wait_for("you> ")

    chat.interrupt_at_prompt("Ctrl-D leaves.")
    chat.wait_for("you> ")
    chat.press_ctrl_d()

    assert chat.end() == 0


def test_an_engine_that_stops_does_not_end_the_conversation(
    terminal: Open, service: FakeAdmin, model: FakeModel
) -> None:
    from ipc.errors import EngineUnavailable

    model.refusals = [EngineUnavailable()]
    chat = terminal("chat")
    chat.wait_for("you> ")
    chat.type("Good morning")
    chat.wait_for("nightloom: ")
    chat.wait_for("you> ")
    chat.type("Once more")
    chat.wait_for("So much for Sunday.")
    chat.wait_for("you> ")
    chat.press_ctrl_d()

    assert chat.end() == 0
    assert [message.content for message in model.requests[-1].messages or ()] == ["Once more"]


def test_ctrl_c_stops_a_typed_question_s_answer_and_the_prompt_comes_back(
    terminal: Open, service: FakeAdmin, model: FakeModel
) -> None:
    model.hold_after_first = threading.Event()
    chat = terminal("chat")
    chat.wait_for("you> ")
    chat.type("Tell me all")
    chat.wait_for("So much ")

    chat.process.send_signal(signal.SIGINT)

    chat.wait_for(" …")
    assert model.hung_up.wait(10)
    chat.wait_for("you> ")
    chat.press_ctrl_d()
    assert chat.end() == 0


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
