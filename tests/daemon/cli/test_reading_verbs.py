"""What the verbs that read print, as JSON and as text, from a service behind real sockets."""

import json
from typing import Any

import pytest

from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel
from trainer.builtin_base import BUILTIN_BASE
from trainer.geometry import read_geometry
from trainer.memory_plan import TrainingPlan
from trainer.speed import Speed

READ_VERBS: list[tuple[list[str], Any]] = [
    (["status"], fake_service.STATUS),
    (["why"], fake_service.WHY),
    (["privacy", "sources", "list"], [fake_service.SOURCE]),
    (["privacy", "preview"], fake_service.PREVIEW),
    (["night", "log"], [fake_service.NIGHT]),
    (["night", "show"], fake_service.NIGHT),
    (["night", "show", "7"], fake_service.NIGHT),
    (["night", "passages"], fake_service.PASSAGE),
    (["adapters", "list"], [fake_service.ADAPTER]),
]


@pytest.mark.parametrize(("verb", "answer"), READ_VERBS, ids=[" ".join(v) for v, _ in READ_VERBS])
def test_json_is_the_service_s_answer_and_nothing_else(
    run: Run, service: FakeAdmin, verb: list[str], answer: Any
) -> None:
    result = run(*verb, "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == answer


def test_status_is_one_fact_a_line(run: Run, service: FakeAdmin) -> None:
    lines = run("status").stdout.splitlines()[2:]

    assert [line.split("  ")[0].strip() for line in lines][:2] == ["state", "base"]
    assert "adapter          0123456789ab" in lines
    assert "documents        1,234" in lines
    assert "memory in use    65 MB" in lines


def test_status_says_why_an_adapter_does_not_answer(run: Run, service: FakeAdmin) -> None:
    service.status_answer = fake_service.STATUS | {
        "adapter": None, "adapter_of_another_base": "0123456789ab",
    }  # fmt: skip

    said = run("status").stdout

    assert "adapter          –" in said
    assert "Adapter 0123456789ab belongs to another base" in said


def test_the_list_of_adapters_marks_those_of_another_base(run: Run, service: FakeAdmin) -> None:
    other = {"sha256": "beef" * 16, "of_base_in_use": False, "status": "available"}
    service.adapter_list = [fake_service.ADAPTER, fake_service.ADAPTER | other]

    _, own, foreign, _, last = run("adapters", "list").stdout.splitlines()

    assert "current  " in own
    assert "available, of another base" in foreign
    assert "`engine.base`" in last


def test_why_marks_what_holds_what_does_not_and_what_is_unknown(
    run: Run, service: FakeAdmin
) -> None:
    said = run("why").stdout

    assert said.startswith("A night would not work now.")
    assert "✗  on_ac_power  battery" in said
    assert "?  idle" in said


def test_the_list_of_sources_shows_what_was_skipped_and_why(run: Run, service: FakeAdmin) -> None:
    said = run("privacy", "sources", "list").stdout

    assert "too_large 1, binary 2" in said
    assert "246" in said


def test_without_sources_the_next_step_is_named(run: Run, service: FakeAdmin) -> None:
    service.source_list = []

    assert "privacy sources add PATH" in run("privacy", "sources", "list").stdout


def test_preview_says_how_much_text_is_missing(run: Run, service: FakeAdmin) -> None:
    said = run("privacy", "preview").stdout

    assert said.endswith("A night needs about 1,000 more tokens of new text.\n")


def test_preview_says_what_tonight_would_learn(run: Run, service: FakeAdmin) -> None:
    service.preview_answer = {**fake_service.PREVIEW, "enough": True, "missing_tokens": 0}

    said = run("privacy", "preview").stdout

    assert "Tonight would learn from 3 new documents, about 1,000 tokens." in said


def test_bases_are_listed_as_the_service_has_them_with_what_they_need_here(
    run: Run, service: FakeAdmin, measured: Speed
) -> None:
    service.base_list += [fake_service.BASE | {"name": "gone", "problem": "It is not whole."}]

    result = run("base", "list", "--json")
    used, gone = json.loads(result.stdout)

    assert (result.exit_code, result.stderr) == (0, "")  # nothing was measured
    assert used.items() >= fake_service.BASE.items()
    assert 0 < used["serve_bytes"] < used["train_bytes"] < 2 << 30
    assert (used["serves_here"], used["trains_here"], used["problem_here"]) == (True, True, None)
    geometry = read_geometry(BUILTIN_BASE)
    plan = TrainingPlan.from_json(used["training"])
    assert used["tokens_per_night"] == pytest.approx(measured.tokens_per_night(geometry, plan))
    assert {gone[key] for key in ("serve_bytes", "train_bytes", "trains_here", "training")} == {
        None
    }


def test_the_base_in_use_is_starred_and_a_broken_one_named(
    run: Run, service: FakeAdmin, measured: Speed
) -> None:
    service.base_list += [
        fake_service.BASE | {"name": "other", "in_use": False, "problem": "Its tensors are cut."}
    ]

    _, used, broken, _, last = run("base", "list").stdout.splitlines()

    assert used.startswith("*  builtin  15,700,000      512  11 MB")
    assert used.endswith("A base to try nightloom offline.")
    assert broken.startswith("   other")
    assert broken.endswith("Its tensors are cut.")
    assert "serves and trains" in used
    assert "million" in used
    assert "with 2,048 tokens of context" in last


def test_the_log_shows_losses_as_changes(run: Run, service: FakeAdmin) -> None:
    said = run("night", "log").stdout

    assert "-15.0 %" in said
    assert "+1.0 %" in said
    assert "fedcba987654 " in said


def test_the_log_asks_for_as_many_nights_as_wanted(run: Run, service: FakeAdmin) -> None:
    run("night", "log", "3", "--json")

    assert service.asked == [("nights", {"count": 3})]


def test_one_night_is_shown_with_where_its_time_went(run: Run, service: FakeAdmin) -> None:
    service.night_list = [
        fake_service.NIGHT
        | {
            "lost": {"not_running": 600.0, "presence": 60.0},
            "timeline": [
                {"at": 1_795_000_000.0, "what": "presence", "seconds": 60.0},
                {"at": 1_795_000_060.0, "what": "work", "seconds": 155.0},
            ],
        }
    ]

    said = run("night", "show", "7").stdout

    assert "held-out loss  -15.0 %" in said
    assert "the service did not run  10 min 00 s" in said
    assert "2 min 35 s  worked" in said
    assert run("night", "show", "8").exit_code == 2


def test_passages_stand_below_one_another(run: Run, service: FakeAdmin) -> None:
    *_, you, before, after = run("night", "passages", "7").stdout.rstrip().splitlines()

    assert service.asked == [("night_passages", {"night": 7})]
    assert you == "you     I counted them twice."
    assert before == "before  the king of the country was dead."
    assert after == "after   I counted the hives.[2J"


def test_names_cannot_drive_the_terminal(run: Run, service: FakeAdmin) -> None:
    service.source_list = [{**fake_service.SOURCE, "path": "/home/\x1b]0;owned\x07/\u202etxt"}]

    said = run("privacy", "sources", "list").stdout

    assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_a_name_that_a_terminal_cannot_encode_does_not_stop_the_list(
    run: Run, service: FakeAdmin, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.source_list = [{**fake_service.SOURCE, "path": "/home/\udcff-odd-bytes"}]

    result = run("privacy", "sources", "list")

    assert result.exit_code == 0
    assert "-odd-bytes" in result.stdout
