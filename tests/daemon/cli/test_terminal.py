"""What only happens on a real terminal: typed passphrases, and a conversation with a prompt."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.keys import Passphrase
from storage.vault import Vault
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel

ROOT = Path(__file__).parents[3]


class Terminal:
    """The command on a pseudo terminal, typed at and read from like a person does."""

    def __init__(self, *words: str) -> None:
        self._person, program = pty.openpty()
        self.shown = ""
        self._waited_for = 0  # how far into `shown`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemon.cli", *words],
            cwd=ROOT,
            stdin=program,
            stdout=program,
            stderr=program,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(program)

    def wait_for(self, words: str) -> None:
        """Reads until it shows `words`, after what was waited for before."""
        while (found := self.shown.find(words, self._waited_for)) < 0:
            assert self._read(), f"it ended without showing {words!r}"
        self._waited_for = found + len(words)

    def type(self, line: str) -> None:
        os.write(self._person, line.encode() + b"\n")

    def press_ctrl_d(self) -> None:
        os.write(self._person, b"\x04")

    def end(self) -> int:
        while self._read():
            pass
        return self.process.wait(10)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._person)

    def _read(self) -> str:
        try:
            piece = os.read(self._person, 4096).decode(errors="replace")
        except OSError:  # the other end is closed
            piece = ""
        self.shown += piece
        return piece


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(home: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def begin(*words: str) -> Terminal:
            opened = Terminal(*words)
            stack.callback(opened.close)
            return opened

        yield begin


def test_a_passphrase_is_typed_twice_and_never_shown(terminal: Open, home: Path) -> None:
    init = terminal("init")
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
    init = terminal("init")
    for line in typed:
        init.wait_for(":")
        init.type(line)

    assert init.end() != 0
    assert said in init.shown
    assert list(home.iterdir()) == []


def test_leaving_at_the_question_makes_no_vault(terminal: Open, home: Path) -> None:
    init = terminal("init")
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

    chat.process.send_signal(signal.SIGINT)
    chat.wait_for("Ctrl-D leaves.")
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
