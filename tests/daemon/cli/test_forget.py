"""Forgetting at the command line: the cost first, a question or --yes, and never a text in argv."""

import json

import pytest

from ipc.errors import OperationError
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_forgetting import COST, DONE
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open

TEXT = "the copper heron\n\nkeeps the tide"


def test_the_cost_is_shown_and_a_yes_forgets(service: FakeAdmin, terminal: Open) -> None:
    person = terminal("privacy", "forget", "--document", "7")
    person.wait_for("Forget this?")
    assert "2 documents will be forgotten for good." in person.shown
    assert "fedcba987654, 0123456789ab" in person.shown
    assert "Then adapter aaaabbbbcccc answers." in person.shown
    assert "30 other documents will be learned again, in about 2 nights." in person.shown
    assert service.forgetting.asked == [("cost", "document", 7)]
    person.type("y")
    assert person.end() == 0
    assert service.forgetting.asked == [("cost", "document", 7), ("forget", "document", 7)]
    assert "Backups that were made before." in person.shown


@pytest.mark.parametrize("answer", ["n", ""])
def test_anything_but_a_yes_leaves_everything_as_it_is(
    service: FakeAdmin, terminal: Open, answer: str
) -> None:
    person = terminal("privacy", "forget", "--everything")
    person.wait_for("Forget this?")
    person.type(answer)
    assert person.end() == 1
    assert service.forgetting.asked == [("cost", "everything", None)]
    assert "Nothing was done, as you wished." in person.shown


def test_without_a_terminal_and_without_yes_nothing_is_done(run: Run, service: FakeAdmin) -> None:
    result = run("privacy", "forget", "--source", "letters")
    assert result.exit_code == 2
    assert "give --yes" in result.stderr
    assert service.forgetting.asked == [("cost", "source", "letters")]


def test_a_script_says_yes_and_reads_json(run: Run, service: FakeAdmin) -> None:
    result = run("privacy", "forget", "--source", "letters", "--yes", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, DONE)
    assert service.forgetting.asked[-1] == ("forget", "source", "letters")


def test_a_text_comes_from_stdin_and_goes_in_the_body(run: Run, service: FakeAdmin) -> None:
    result = run("privacy", "forget", "--matching", "--yes", stdin=TEXT)
    assert result.exit_code == 0
    assert service.forgetting.asked[-1] == ("forget", "matching", TEXT)
    assert "heron" not in result.output


def test_a_text_is_asked_for_at_a_terminal(service: FakeAdmin, terminal: Open) -> None:
    person = terminal("privacy", "forget", "--matching")
    person.wait_for("Text to look for")
    person.type("the copper heron")
    person.wait_for("Forget this?")
    person.type("y")
    assert person.end() == 0
    assert service.forgetting.asked[-1] == ("forget", "matching", "the copper heron")


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        ([], None, "one of --source"),
        (["--everything", "--document", "3"], None, "one of --source"),
        (["--matching"], " \n", "no text to look for"),
        (["--document", "0"], None, "--document"),
    ],
)
def test_what_is_meant_has_to_be_said_once(
    run: Run, service: FakeAdmin, words: list[str], stdin: str | None, sentence: str
) -> None:
    result = run("privacy", "forget", *words, "--yes", stdin=stdin)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert service.forgetting.asked == []


def test_a_forget_that_matches_nothing_is_a_sentence_and_code_2(
    run: Run, service: FakeAdmin
) -> None:
    service.forgetting.refusal = OperationError("usage", "Nothing in the vault matches that.")
    result = run("privacy", "forget", "--document", "7", "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Nothing in the vault matches that." in result.stderr


def test_a_cost_without_adapters_says_only_what_there_is(run: Run, service: FakeAdmin) -> None:
    nothing: dict[str, object] = {
        "adapters": [],
        "adapter": None,
        "adapter_then": None,
        "queued_documents": 0,
    }
    service.forgetting.cost_answer = COST | nothing
    service.forgetting.done_answer = DONE | nothing | {"rotated": False}
    said = run("privacy", "forget", "--document", "7", "--yes").stdout
    assert "2 documents will be forgotten for good." in said
    assert "adapter" not in said.replace("exported adapters", "")
    assert "`nightloom key rotate`" in said


def test_a_source_is_removed_and_forgotten_in_one_go(run: Run, service: FakeAdmin) -> None:
    result = run("privacy", "sources", "remove", "letters", "--forget", "--yes")
    assert result.exit_code == 0
    assert service.asked == [("remove_source", {"name": "letters"})]
    assert service.forgetting.asked == [
        ("cost", "source", "letters"),
        ("forget", "source", "letters"),
    ]


def test_a_source_stays_when_its_forgetting_is_not_confirmed(run: Run, service: FakeAdmin) -> None:
    assert run("privacy", "sources", "remove", "letters", "--forget").exit_code == 2
    assert service.asked == []


def test_a_path_is_allowed_again(run: Run, service: FakeAdmin) -> None:
    assert "2 files will be collected again." in run("privacy", "remember", "/notes/a.md").stdout
    assert service.forgetting.asked == [("remember", "path", "/notes/a.md")]
