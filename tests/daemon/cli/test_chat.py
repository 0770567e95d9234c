"""Talking to the model from the command line."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ipc.errors import AdapterWithdrawn, EngineUnavailable, UnknownModel
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_forgetting import COST
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
    assert result.stderr.count("\n") == 1
    assert "its beginning is not sent any more" in result.stderr


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


def test_the_terms_of_a_conversation_are_options(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    words = ("--system", "Be brief.", "--temperature", "0.2", "--max-tokens", "9")
    run("chat", *words, stdin="Hello\n/temperature 1\nAgain\n")

    assert asked(model, 0) == [("system", "Be brief."), ("user", "Hello")]
    sampling = [request.sampling for request in model.requests]
    assert [(one.temperature, one.max_tokens) for one in sampling] == [(0.2, 9), (1.0, 9)]
    assert run("chat", "--temperature", "3", "-m", "Hello").exit_code == 2


def test_answers_can_be_objects_one_a_line(run: Run, service: FakeAdmin, model: FakeModel) -> None:
    model.loads = [0.1, 0.9]
    result = run("chat", "--json", stdin="Hello\n/private\n/compare\n")

    one, base, personal = map(json.loads, result.stdout.splitlines())
    assert one | {"id": None, "seconds": None} == {
        "id": None,
        "model": "personal",
        "answer": "So much for Sunday.",
        "finish_reason": "stop",
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "seconds": None,
    }
    assert (base["model"], personal["model"]) == ("base", "personal")
    assert [one["id"]] == [chat.id for chat in model.kept]
    assert "kept out of the vault" in result.stderr
    whole = json.loads(run("chat", "--json", "-m", "Hello").stdout)
    assert whole["answer"] == "So much for Sunday."


def test_the_base_is_asked_beside_the_model_and_never_kept(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.by_model = {"base": ["Nothing."]}
    result = run(
        "chat", stdin="/compare How are the bees?\nAnd now?\n/model\n/model base\n/retry\n"
    )

    assert result.exit_code == 0
    assert result.stdout.startswith("base:\nNothing.\n\npersonal:\nSo much for Sunday.\n")
    assert "*  personal" in result.stdout
    assert [content for _, content in asked(model)][:2] == [
        "How are the bees?",
        "So much for Sunday.",
    ]
    assert model.requests[-1].model == "base"
    assert {request.train_allowed for request in model.requests if request.model == "base"} == {
        True,
        False,
    }
    assert [chat.answer for chat in model.kept if chat.answer == "Nothing."] == ["Nothing."]


def test_what_cannot_be_asked_in_a_pipe_is_an_error(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    service.forgetting.cost_answer = COST | {"night": True}
    result = run("chat", stdin="Hello\n/forget-this\n")

    assert result.exit_code == 2
    assert "The night that works now" in result.stdout
    assert "no terminal to ask on" in result.stderr
    assert [verb for verb, *_ in service.forgetting.asked] == ["cost"]
    service.forgetting.cost_answer = COST | {"night": False, "adapters": [], "documents": 0}
    assert "Nothing of it is in the vault" in run("chat", stdin="Hello\n/forget-this all\n").stdout


def test_an_adapter_that_is_withdrawn_takes_its_answer_along(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.fails_after = AdapterWithdrawn()
    result = run("chat", "-m", "Hello")

    assert (result.exit_code, result.stdout) == (1, "So much \n")
    assert "was withdrawn" in result.stderr
    assert result.stderr.count("\n") == 1


def test_nothing_is_coloured_or_drawn_where_no_terminal_is(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.pieces = ["# Bees\n\n**They**"]

    assert run("chat", "-m", "Hello").stdout == "# Bees\n\n**They**\n"


def test_a_comparison_of_the_base_with_itself_is_said_to_be_one(
    run: Run, service: FakeAdmin, model: FakeModel
) -> None:
    model.version = "base"

    assert "no adapter of this base yet" in run("chat", stdin="/compare Hello\n").stdout
