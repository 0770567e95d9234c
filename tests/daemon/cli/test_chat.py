"""Talking to the model from the command line."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ipc.errors import EngineUnavailable, UnknownModel
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel

ROOT = Path(__file__).parents[3]


def asked(model: FakeModel, index: int = -1) -> list[tuple[str, str]]:
    messages = model.requests[index].messages
    assert messages is not None
    return [(message.role, message.content) for message in messages]


def test_one_question_gets_one_answer_and_nothing_else(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    result = run("chat", "-m", "How was Sunday?")

    assert (result.exit_code, result.stdout) == (0, "So much for Sunday.\n")
    assert asked(model) == [("user", "How was Sunday?")]
    assert model.requests[0].model == "personal"


def test_another_model_can_be_asked(run: Run, service: FakeAdmin, model: FakeModel) -> None:
    run("chat", "-m", "Hello", "--model", "personal@0123456789ab")

    assert model.requests[0].model == "personal@0123456789ab"


def test_a_long_question_can_come_from_a_pipe(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    run("chat", "-m", "-", stdin="first line\nsecond line\n")

    assert asked(model) == [("user", "first line\nsecond line\n")]


def test_an_unknown_model_is_one_sentence_that_says_where_to_look(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.refusals = [UnknownModel()]

    result = run("chat", "-m", "Hello", "--model", "gpt")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "adapters list" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_answer_cannot_drive_the_terminal(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.pieces = ["\x1b]0;", "owned\x07", "fine\n"]

    assert run("chat", "-m", "Hello").stdout == "]0;ownedfine\n\n"


def test_a_conversation_remembers_what_was_said(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    result = run("chat", stdin="Good morning\n\nAnd then?\n")

    assert result.exit_code == 0
    assert asked(model) == [
        ("user", "Good morning"),
        ("assistant", "So much for Sunday."),
        ("user", "And then?"),
    ]


def test_a_conversation_that_grows_too_long_forgets_its_beginning(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.longest = 3

    result = run("chat", stdin="one\ntwo\nthree\n")

    assert result.exit_code == 0
    assert [content for _, content in asked(model)] == ["two", "So much for Sunday.", "three"]


def test_a_question_that_is_too_long_by_itself_is_an_error(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.longest = 0

    result = run("chat", stdin="very long\n")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "longer" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_engine_that_stopped_is_said_on_stderr(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.refusals = [EngineUnavailable()]

    result = run("chat", "-m", "Hello")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("nightloom: The engine stopped")


def test_ctrl_c_stops_the_answer_in_the_service_but_not_the_conversation(
    home: Path, service: FakeAdmin, model: FakeModel
) -> None:
    model.hold_after_first = threading.Event()
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "chat"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NIGHTLOOM_HOME": str(home)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("Tell me all\n")
    process.stdin.flush()
    assert process.stdout.read(len("So much ")) == "So much "

    process.send_signal(signal.SIGINT)

    assert process.stdout.readline() == " …\n"
    assert model.hung_up.wait(10)
    model.hold_after_first = None
    rest, errors = process.communicate("Go on\n", timeout=10)
    assert (process.returncode, rest, errors) == (0, "So much for Sunday.\n", "")
    assert [content for _, content in asked(model)] == ["Tell me all", "So much ", "Go on"]


def test_a_word_about_the_last_answer_goes_to_the_service_and_is_no_question(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    result = run("chat", stdin="Good morning\n/good\nAnd then?\n /bad \n")

    assert result.exit_code == 0
    first, second = model.kept
    assert model.words == [(first.id, "good"), (second.id, "bad")]
    assert [content for _, content in asked(model)][-1] == "And then?"
    assert len(model.requests) == 2
    assert "kept as a good one" in result.stdout
    assert "left out" in result.stdout


def test_a_word_that_is_about_nothing_is_said_and_ends_nothing(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    result = run("chat", "--no-train", stdin="/good\nHello\n/bad\nAnd then?\n")

    assert result.exit_code == 0
    assert (model.kept, model.words, len(model.out)) == ([], [], 2)
    assert [request.train_allowed for request in model.requests] == [False, False]
    assert result.stderr.count("\n") == 2
    assert "no answer yet" in result.stderr
    assert "only the last ones are" in result.stderr


def test_one_question_can_be_kept_out_too(run: Run, service: FakeAdmin, model: FakeModel) -> None:
    assert run("chat", "--no-train", "-m", "Hello").exit_code == 0
    assert run("chat", "-m", "Hello").exit_code == 0
    assert (len(model.out), len(model.kept)) == (1, 1)
