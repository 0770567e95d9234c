"""From a folder of notes to an adapter that answers, without a restart in between."""

import json

import pytest

from daemon.memory_reading import resident_bytes
from tests.pipeline.living import Json, entry_of, state_of
from tests.pipeline.story import NOTES_TAKEN, Story

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NIGHT_KEYS = {
    "id", "started_at", "state", "documents", "tokens", "tokens_per_second", "steps",
    "held_out_loss_before", "held_out_loss_after", "general_loss_before", "general_loss_after",
    "verdict", "reason", "adapter", "seconds", "lost",
}  # fmt: skip
STATUS_KEYS = {
    "state", "base", "adapter", "documents", "pending_documents", "engine", "resident_bytes",
}  # fmt: skip
CONDITION_KEYS = {"name", "holds", "value", "threshold", "since", "reason", "advice", "overridden"}
ADAPTER_KEYS = {"sha256", "parent", "base", "trained_at", "status", "documents"}
SOURCE_KEYS = {
    "name", "kind", "path", "state", "documents", "last_scan_at", "skipped", "last_error",
}  # fmt: skip


def read(story: Story, *words: str) -> Json:
    """What a command prints with --json."""
    result = story.place.run(*words, "--json")
    assert result.exit_code == 0, result.output
    answer: Json = json.loads(result.stdout)
    return answer


def test_init_shows_a_recovery_key_and_what_comes_next(story: Story) -> None:
    assert "recovery key" in story.init_said
    assert "nightloom run" in story.init_said


def test_a_folder_that_is_allowed_is_collected(story: Story) -> None:
    assert story.source["documents"] == story.preview["total_new_documents"] == NOTES_TAKEN + 6
    assert story.source["skipped"] == {}
    assert story.source["last_error"] is None


def test_a_night_passes_through_its_stages_and_its_steps_in_order(story: Story) -> None:
    stages = list(dict.fromkeys(state_of(line) for line in story.lines))
    assert stages == ["preparing", "training", "judging", "publishing", "done"]
    steps = [line["step"] for line in story.lines if line.get("step")]
    assert steps == list(range(1, story.entry["steps"] + 1))


def test_a_night_on_ones_own_notes_predicts_them_better_and_passes(story: Story) -> None:
    entry = story.entry
    assert (entry["state"], entry["verdict"]) == ("done", "passed"), entry["sentence"]
    assert entry["reason"] is None
    assert entry["held_out_loss_after"] < entry["held_out_loss_before"]
    assert entry["held_out_gain_low"] > 0
    assert entry["general_loss_after"] <= 1.02 * entry["general_loss_before"]


def test_the_log_keeps_what_the_night_did(story: Story) -> None:
    log = story.place.admin.nights()
    (kept,) = [each for each in log if each["id"] == story.entry["id"]]
    account = {name: kept.pop(name) for name in ("lost", "timeline")}
    assert kept == {name: value for name, value in story.entry.items() if name not in account}
    worked = sum(one["seconds"] for one in account["timeline"] if one["what"] == "work")
    assert worked == pytest.approx(kept["seconds"], abs=5.0)
    assert set(story.entry) >= NIGHT_KEYS
    assert "plan" not in story.entry
    assert 0 < story.entry["documents"] < story.preview["total_new_documents"]
    assert story.entry["peak_bytes"] < 2 << 30


def test_a_night_trains_as_it_was_planned_and_takes_what_was_foreseen(story: Story) -> None:
    plan = story.entry["training"]
    assert (plan["rows_per_step"], plan["recompute_layers"]) == (2, 0)
    engine = story.entry["peak_bytes"] - resident_bytes(story.place.pid)
    assert 0.75 < engine / plan["peak_bytes"] < 1.15  # it is looked at between steps


def test_what_was_learned_waits_no_more(story: Story) -> None:
    status = story.place.admin.status()
    assert status["documents"] >= NOTES_TAKEN + 6
    assert status["pending_documents"] < 8


def test_an_adapter_answers_without_a_restart(story: Story) -> None:
    sha12 = story.entry["adapter"]
    with story.place.client() as client:
        models = {model.id: model.model_dump() for model in client.models.list()}
        answer = client.completions.create(
            model="personal", prompt="The bees", max_tokens=4, temperature=0.0
        )
    assert models["personal"]["sha256"].startswith(sha12)
    assert models["personal"]["trained_at"] >= int(story.entry["started_at"])
    assert set(models) == {"personal", "base", f"personal@{sha12}"}
    assert answer.model == f"personal@{sha12}"


def test_chat_is_answered_while_the_night_trains(story: Story) -> None:
    assert story.answer_in_the_night
    assert story.engine_in_the_night == "training"


def test_what_a_night_changed_can_be_read(story: Story) -> None:
    result = story.place.run("night", "passages", "--json")

    assert result.exit_code == 0, result.output
    passages = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(passages) == 3
    assert all(one["before"] and one["after"] and one["written"] for one in passages)
    assert any(one["before"] != one["after"] for one in passages)


def test_the_night_leaves_no_checkpoint_behind(story: Story) -> None:
    kept = story.place.home.vault / "files"
    assert list((kept / "checkpoints").iterdir()) == []
    assert len(list((kept / "adapters").iterdir())) == 1


def test_going_back_serves_the_base_and_going_forward_the_adapter(story: Story) -> None:
    place, sha12 = story.place, story.entry["adapter"]

    def label() -> str:
        with place.client() as client:
            return client.completions.create(
                model="personal", prompt="The bees", max_tokens=1, temperature=0.0
            ).model

    assert place.run("adapters", "rollback").exit_code == 0
    try:
        assert label() == "base"
        assert place.admin.status()["adapter"] is None
        assert [adapter["status"] for adapter in place.admin.adapters()] == ["available"]
    finally:
        used = place.run("adapters", "use", sha12)
    assert used.exit_code == 0
    assert label() == f"personal@{sha12}"
    assert [adapter["status"] for adapter in place.admin.adapters()] == ["current"]


def test_too_little_new_text_lets_the_night_wait_and_keeps_the_adapter(story: Story) -> None:
    place, admin = story.place, story.place.admin
    before = admin.status()

    empty = place.run("night", "run", "--now", "--json")
    entry = json.loads(empty.stdout.splitlines()[-1])["night"]
    preview = admin.preview()

    assert empty.exit_code == 0
    assert (entry["state"], entry["reason"]) == ("waiting", "too_little_text")
    assert f"{preview['missing_documents']} more new documents" in entry["sentence"]
    assert f"{preview['missing_tokens']:,} more tokens" in entry["sentence"]
    assert not preview["enough"]
    assert not read(story, "why")["would_work"]

    place.write("one-more.md", "A single new line is not much to learn from. " * 12)
    admin.rescan()
    entry = entry_of(admin.run_night())

    assert entry["state"] == "waiting"
    assert f"{preview['missing_documents'] - 1} more new documents" in entry["sentence"]
    assert admin.status()["adapter"] == before["adapter"]
    assert admin.status()["state"] == "waiting"
    assert len(admin.nights()) == 1


def test_what_is_read_has_stable_keys(story: Story) -> None:
    status = read(story, "status")
    assert set(status) >= STATUS_KEYS
    assert (status["state"], status["base"]) == ("waiting", "builtin")
    why = read(story, "why")
    assert set(why) == {"would_work", "first", "conditions"}
    assert all(set(condition) == CONDITION_KEYS for condition in why["conditions"])
    assert all(set(each) >= NIGHT_KEYS for each in read(story, "night", "log"))
    (adapter,) = read(story, "adapters", "list")
    assert set(adapter) >= ADAPTER_KEYS
    (source,) = read(story, "privacy", "sources", "list")
    assert set(source) >= SOURCE_KEYS
