"""What a person is told about tonight: what is learned, what is read, and what waits and why."""

from dataclasses import replace
from typing import Any

from daemon.cli.preview import preview_text
from daemon.night_planning import PlanPolicy, Waiting, plan_night
from daemon.night_preparing import Foreseen
from daemon.previewing import tonight, totals, with_facts, with_plan
from storage.records import DocumentState
from trainer.curation_facts import TextFacts

POLICY = PlanPolicy()


def text(number: int, **more: Any) -> Waiting:
    return Waiting(
        document_id=number, item_id=number, version=1, state=DocumentState.NEW, characters=4000,
        **more,
    )  # fmt: skip


def facts(number: int, reason: str | None = None, twin_of: int | None = None) -> TextFacts:
    return TextFacts(
        document_id=number, language="en", quality=0.734, reason=reason, twin_of=twin_of,
        family=number,
    )  # fmt: skip


def listed(documents: list[Waiting]) -> list[dict[str, Any]]:
    return [
        {"document": one.document_id, "source": "notes", "path": "a.md", "characters": 9000}
        for one in documents
    ]


def foreseen(documents: list[Waiting], policy: PlanPolicy = POLICY) -> Foreseen:
    return Foreseen(waiting=tuple(documents), plan=plan_night(documents, policy, seed=0))


def answer(documents: list[Waiting], policy: PlanPolicy = POLICY) -> dict[str, Any]:
    known = {one.document_id: facts(one.document_id, one.left_out) for one in documents}
    seen = foreseen(documents, policy)
    shown = with_plan(with_facts(listed(documents), known), seen)
    return {
        "sources": [
            {"name": "notes", "documents": 9, "new_documents": len(shown), "characters": 1}
        ],
        "total_new_documents": len(shown),
        **totals(shown),
        **tonight(shown, seen, policy),
        "documents": shown,
    }


def test_each_document_says_what_becomes_of_it() -> None:
    documents = [
        *(text(n) for n in range(1, 20)),
        replace(text(30, fresh=(3000, 4000)), characters=1000, version=2),
        text(40, own=False),
        text(41, left_out="machine_made"),
    ]
    said = answer(documents)
    by_number = {one["document"]: one for one in said["documents"]}
    assert by_number[1]["tonight"] == "learned"
    assert by_number[30]["new_characters"] == 1000
    assert (by_number[40]["tonight"], by_number[40]["own"]) == ("read", False)
    left_out = by_number[41]
    assert (left_out["tonight"], left_out["left_out"], left_out["waits_for"]) == (
        "waits", "machine_made", None,
    )  # fmt: skip
    assert (left_out["language"], left_out["quality"]) == ("en", 0.73)
    assert (said["tonight_documents"], said["reading_documents"]) == (20, 1)
    assert said["left_out"] == {"machine_made": 1}
    assert said["about_tokens"] == said["tonight_tokens"] == 19 * 1000 + 250
    assert said["enough"]


def test_what_one_night_cannot_read_is_counted_and_explained() -> None:
    documents = [text(n) for n in range(1, 61)]
    said = answer(documents, replace(POLICY, train_most_characters=20_000))
    waiting = said["waiting"]["night_full"]
    assert said["tonight_documents"] + waiting == 60
    assert waiting > 40
    words = preview_text(said)
    assert f"Another night: {waiting} new documents; this is more than tonight can read" in words


def test_with_too_little_everything_waits_for_more() -> None:
    said = answer([text(n) for n in range(1, 4)])
    assert said["waiting"] == {"too_little_text": 3}
    assert (said["enough"], said["missing_documents"], said["tonight_documents"]) == (False, 5, 0)
    assert preview_text(said).endswith(said["sentence"])


def test_a_document_that_came_just_now_is_shown_the_next_time() -> None:
    documents = [text(n) for n in range(1, 20)]
    shown = with_plan(with_facts(listed([*documents, text(99)]), {}), foreseen(documents))
    assert [one["document"] for one in shown] == list(range(1, 20))
    assert shown[0]["language"] is None
