"""What the verbs that change something ask of the service, and what they say afterwards."""

import json
from pathlib import Path

import pytest

from ipc.errors import OperationError
from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin


def test_a_source_is_added_with_its_globs_and_an_absolute_path(
    run: Run, service: FakeAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run(
        *("privacy", "sources", "add", "letters", "--name", "post", "--include", "*.md"),
        *("--include", "*.txt", "--exclude", "drafts/*"),
    )

    assert result.exit_code == 0
    assert service.asked == [
        (
            "add_source",
            {
                "name": "post",
                "kind": "folder",
                "path": str(tmp_path / "letters"),
                "include": ["*.md", "*.txt"],
                "exclude": ["drafts/*"],
                "me": [],
                "own": True,
                "keep_deleted": True,
            },
        )
    ]


def test_a_source_is_removed_by_a_name_with_any_characters(run: Run, service: FakeAdmin) -> None:
    result = run("privacy", "sources", "remove", "my/näme ?")

    assert "246 documents of it stay in the vault" in result.stdout
    assert service.asked == [("remove_source", {"name": "my/näme ?"})]


def test_rescan_waits_and_prints_the_counts(run: Run, service: FakeAdmin) -> None:
    said = run("privacy", "rescan").stdout

    assert "new documents  3" in said


def test_use_and_rollback_say_which_adapter_answers_now(run: Run, service: FakeAdmin) -> None:
    for verb in (["adapters", "use", "fedc"], ["adapters", "rollback"]):
        assert "Adapter fedcba987654 answers" in run(*verb).stdout
    assert service.asked == [("use_adapter", {"adapter": "fedc"}), ("rollback", {})]


def test_an_unknown_adapter_is_one_sentence_and_a_failure(run: Run, service: FakeAdmin) -> None:
    service.refusal = OperationError("failed", "There is no such adapter; list them first.")

    result = run("adapters", "use", "beef")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "nightloom: There is no such adapter; list them first.\n"


def test_a_night_is_told_in_lines_where_there_is_no_terminal(run: Run, service: FakeAdmin) -> None:
    said = run("night", "run", "--now").stdout

    assert "training · step 20/40 · loss 3.500 · 512 tokens/s" in said
    assert "The night is done: The new adapter knows the held-out text better." in said
    assert "4.000 → 3.400 (-15.0 %)" in said
    assert "\x1b" not in said


def test_a_night_as_json_is_a_line_a_step_and_the_entry_last(run: Run, service: FakeAdmin) -> None:
    lines = [
        json.loads(line) for line in run("night", "run", "--now", "--json").stdout.split("\n")[:-1]
    ]

    assert lines == [*fake_service.STEPS, {"night": fake_service.NIGHT}]


@pytest.mark.parametrize(
    ("state", "code"), [("done", 0), ("refused", 0), ("waiting", 0), ("failed", 1)]
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_only_a_failed_night_fails_the_command(
    run: Run, service: FakeAdmin, state: str, code: int, form: list[str]
) -> None:
    service.night_entry = {"state": state, "sentence": "About 800 more tokens are needed."}

    result = run("night", "run", "--now", *form)

    assert result.exit_code == code
    assert "About 800 more tokens are needed." in result.stdout


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_night_that_ends_without_a_word_is_a_failure(
    run: Run, service: FakeAdmin, form: list[str]
) -> None:
    service.night_entry = {}

    result = run("night", "run", "--now", *form)

    assert result.exit_code == 1
    assert "without a result" in result.stderr


@pytest.mark.parametrize(("words", "on_battery"), [((), False), (("--on-battery",), True)])
def test_a_night_on_battery_is_asked_for(
    run: Run, service: FakeAdmin, words: tuple[str, ...], on_battery: bool
) -> None:
    assert run("night", "run", "--now", *words).exit_code == 0
    assert service.asked == [("run_night", {"on_battery": on_battery})]


def test_nights_are_paused_and_resumed(run: Run, service: FakeAdmin) -> None:
    assert "`nightloom night resume`" in run("night", "pause").stdout
    assert "paused until" in run("night", "pause", "--for", "2h").stdout
    assert "work again" in run("night", "resume").stdout
    assert service.asked == [
        ("pause_nights", {"seconds": None}),
        ("pause_nights", {"seconds": 7200.0}),
        ("resume_nights", {}),
    ]
    assert run("night", "pause", "--for", "soon").exit_code == 2


def test_a_night_without_now_says_how_nights_start(run: Run, service: FakeAdmin) -> None:
    result = run("night", "run")

    assert result.exit_code == 2
    assert "--now" in result.stderr
    assert service.asked == []


def test_a_source_says_whose_writing_it_is(run: Run, service: FakeAdmin) -> None:
    run(
        *("privacy", "sources", "add", "/mail", "--kind", "mail", "--reading", "--drop-deleted"),
        *("--me", "a@example.org", "--me", "b@example.org"),
    )

    [(_, facts)] = service.asked
    assert facts["kind"] == "mail"
    assert facts["me"] == ["a@example.org", "b@example.org"]
    assert (facts["own"], facts["keep_deleted"]) == (False, False)


def test_chats_with_nightloom_are_added_without_a_path(run: Run, service: FakeAdmin) -> None:
    assert run("privacy", "sources", "add", "--kind", "conversations").exit_code == 0
    [(_, facts)] = service.asked
    assert (facts["kind"], facts["path"], facts["name"]) == ("conversations", "", None)


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--kind", "conversations", "/notes"), "leave PATH out"), ((), "Name the PATH")],
)
def test_a_path_that_is_missing_or_too_much_is_named(
    run: Run, service: FakeAdmin, words: tuple[str, ...], said: str
) -> None:
    result = run("privacy", "sources", "add", *words)
    assert (result.exit_code, service.asked) == (2, [])
    assert said in result.stderr
