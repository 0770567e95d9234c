"""A conversation on a real terminal, with a service that answers what a test tells it to."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ipc.errors import AdapterWithdrawn, EngineUnavailable
from tests.daemon.cli.fake_forgetting import COST
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel, serving
from tests.daemon.cli.person import Open, Terminal
from tests.pipeline.searching import files_with, needles


@pytest.fixture
def chat(terminal: Open, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """`nightloom chat`, at its first prompt."""
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")  # this terminal answers no such question
    monkeypatch.delenv("NO_COLOR", raising=False)

    def begin(*words: str) -> Terminal:
        opened = terminal("chat", *words)
        at_prompt(opened, "you (private)>" if "--no-train" in words else "you>")
        return opened

    return begin


def at_prompt(chat: Terminal, prompt: str = "you>") -> None:
    chat.wait_for(prompt)
    chat.wait_for("\x1b[?25h")  # drawn, and waiting for a key


def left(chat: Terminal) -> int:
    chat.press_ctrl_d()
    return chat.end()


def sent(model: FakeModel, index: int = -1) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in model.requests[index].messages or ()]


def test_an_answer_is_drawn_as_markdown_with_who_gave_it_and_how_fast(
    chat: Callable[..., Terminal], service: FakeAdmin, model: FakeModel
) -> None:
    model.loads = [0.4]
    model.pieces = ["# Bees\n\nThey ", "are **back** \x1b]0;owned\x07", "again."]
    talk = chat()
    talk.type("How are they?")

    talk.wait_for("Bees")
    talk.wait_for("They are \x1b[1mback\x1b[0m")
    talk.wait_for("personal · 3 tokens")
    at_prompt(talk)
    assert left(talk) == 0
    assert "\x1b]0;" not in talk.shown
    assert "**" not in talk.shown


def test_ctrl_c_stops_an_answer_in_the_service_and_what_there_is_of_it_stays(
    chat: Callable[..., Terminal], service: FakeAdmin, model: FakeModel
) -> None:
    model.hold_after_first = threading.Event()
    talk = chat()
    talk.type("Tell me all")
    talk.wait_for("So much")

    talk.process.send_signal(signal.SIGINT)

    talk.wait_for(" …")
    assert model.hung_up.wait(10)
    talk.wait_for("stopped")
    at_prompt(talk)
    model.hold_after_first = None
    talk.type("Go on")
    talk.wait_for("for Sunday.")
    at_prompt(talk)
    talk.press_ctrl_c()
    talk.wait_for("Ctrl-D leaves.")
    at_prompt(talk)
    assert left(talk) == 0
    assert [words for _, words in sent(model)] == ["Tell me all", "So much ", "Go on"]


def test_a_question_has_more_than_one_line_and_nothing_typed_is_written_down(
    chat: Callable[..., Terminal],
    service: FakeAdmin,
    model: FakeModel,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in ("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(place, str(tmp_path))
    talk = chat()
    talk.press("one\\\r")
    talk.wait_for("...>")
    talk.press("two\x1b\rthree\r")
    talk.wait_for("for Sunday.")
    at_prompt(talk)
    talk.press("/temp\t0\r")
    talk.wait_for("The temperature is 0.")
    at_prompt(talk)
    talk.press("\x1b[A\x1b[A\r")  # two lines back in what was typed
    talk.wait_for("for Sunday.")
    at_prompt(talk)

    assert files_with(needles(("three", "for Sunday")), tmp_path, home) == []  # no history
    assert left(talk) == 0
    assert files_with(needles(("three", "for Sunday")), tmp_path, home) == []
    assert sent(model)[0] == sent(model)[-1] == ("user", "one\ntwo\nthree")
    assert model.requests[-1].sampling.temperature == 0


def test_what_goes_wrong_is_said_and_the_question_can_be_asked_again(
    chat: Callable[..., Terminal], service: FakeAdmin, model: FakeModel
) -> None:
    model.refusals = [EngineUnavailable()]
    talk = chat()
    talk.type("Good morning")
    talk.wait_for("The engine stopped")
    talk.wait_for("/retry")
    at_prompt(talk)
    model.fails_after = AdapterWithdrawn()
    talk.type("/retry")
    talk.wait_for("withdrawn")
    at_prompt(talk)
    model.fails_after = None
    talk.type("/nothing")
    talk.wait_for("no command of that name")
    at_prompt(talk)
    talk.type("Once more")
    talk.wait_for("for Sunday.")
    at_prompt(talk)

    assert left(talk) == 0
    assert sent(model) == [("user", "Once more")]


def test_two_answers_stand_beside_each_other_and_the_conversation_goes_on_from_one(
    chat: Callable[..., Terminal],
    service: FakeAdmin,
    model: FakeModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    model.by_model = {"base": ["Nothing."], "personal": ["They are back."]}
    talk = chat("--no-train")
    talk.type("/compare How are the bees?")
    talk.wait_for("base")
    talk.wait_for(" │ personal")
    talk.wait_for("They are back.")
    at_prompt(talk, "you (private)>")
    talk.type("And now?")
    talk.wait_for("They are back.")
    at_prompt(talk, "you (private)>")

    assert left(talk) == 0
    assert [words for _, words in sent(model)][:2] == ["How are the bees?", "They are back."]
    assert "no adapter of this base" not in talk.shown
    assert [one.train_allowed for one in model.requests] == [False, False, False]


def test_what_was_said_is_forgotten_where_the_user_says_yes_to_the_cost(
    chat: Callable[..., Terminal], service: FakeAdmin, model: FakeModel
) -> None:
    service.forgetting.cost_answer = COST | {"night": False, "adapters": []}
    talk = chat()
    for _ in range(2):
        talk.type("Where is the key?")
        talk.wait_for("for Sunday.")
        at_prompt(talk)
    talk.type("/forget-this")
    talk.wait_for("out of the vault")
    at_prompt(talk)
    first, second = (chat.id for chat in model.kept)
    assert model.words == [(second, "bad")]

    service.forgetting.cost_answer = COST | {"night": False}
    for answer, said in (("n", "Nothing was done"), ("y", "Forgotten: 2 documents")):
        talk.type("/forget-this all")
        talk.wait_for("2 adapters learned from them")
        talk.wait_for("Forget this? [y/N]")
        talk.type(answer)
        talk.wait_for(said)
        at_prompt(talk)
    talk.type("And now?")
    talk.wait_for("for Sunday.")
    at_prompt(talk)

    assert left(talk) == 0
    assert sent(model) == [("user", "And now?")]
    assert [one for one in service.forgetting.asked if one[0] == "forget"] == [
        ("forget", "answers", (first,))
    ]


def test_a_service_that_does_not_run_or_is_locked_is_said_before_anything_is_typed(
    terminal: Open, home: Path, model: FakeModel
) -> None:
    nobody = terminal("chat")
    assert nobody.end() == 4
    assert "Start it with `nightloom run`" in nobody.shown
    model.locked = True
    with serving(home / "run", FakeAdmin(), model):
        locked = terminal("chat")
        assert locked.end() == 3
    assert "nightloom unlock" in locked.shown
