"""Exports of ChatGPT: trees of which one branch counts."""

from typing import Any

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chat_conversations import MOST_CHARACTERS
from daemon.extracting.errors import Unreadable
from tests.daemon.extracting.chat_reading import documents, own_words, spoken


def node(
    name: str, parent: str | None, role: str, *parts: Any, kind: str = "text", **more: Any
) -> dict[str, Any]:
    content = {"content_type": kind, "parts": list(parts)}
    message = {"id": name, "author": {"role": role}, "content": content, "create_time": 1.7e9}
    return {"id": name, "message": {**message, **more}, "parent": parent, "children": []}


def conversation(*nodes: dict[str, Any], at: str | None, **more: Any) -> dict[str, Any]:
    mapping = {one["id"]: one for one in nodes}
    for one in nodes:
        if one["parent"] in mapping:
            mapping[one["parent"]]["children"].append(one["id"])
    return {
        "title": "On knots",
        "conversation_id": "c-1",
        "current_node": at,
        "mapping": mapping,
        **more,
    }


def tree(at: str | None = "4b") -> dict[str, Any]:
    return conversation(
        {"id": "0", "message": None, "parent": None, "children": []},
        node("1", "0", "system", ""),
        node("2", "1", "user", "How do I tie a bowline?"),
        node("3", "2", "assistant", "Make a loop."),
        node("4a", "3", "user", "And then?"),
        node("4b", "3", "user", "Which way round?"),
        at=at,
    )


def test_the_branch_last_seen_counts() -> None:
    (document,) = documents([tree()])
    assert spoken(document) == [
        ("me", "How do I tie a bowline?"),
        ("assistant", "Make a loop."),
        ("me", "Which way round?"),
    ]
    assert [turn.own for turn in document.turns] == [True, False, True]
    assert document.path_suffix == "c-1"
    assert document.about == {"format": "chatgpt", "title": "On knots"}
    assert document.modified_at == 1.7e9


def test_without_a_current_node_the_newest_branch_counts() -> None:
    (document,) = documents([tree(at=None)])
    assert own_words([document])[-1] == "Which way round?"


@pytest.mark.parametrize(
    "hidden",
    [
        node("x", "3", "tool", "result"),
        node("x", "3", "system", "be kind"),
        node("x", "3", "assistant", "search(knots)", recipient="browser"),
        node("x", "3", "assistant", "hmm", kind="thoughts"),
        node("x", "3", "user", "about me", metadata={"is_visually_hidden_from_conversation": True}),
        node("x", "3", "user", "about me", kind="user_editable_context"),
        node("x", "3", "user", "lost", weight=0),
        node("x", "3", "user"),
        {"id": "x", "message": {"author": 7, "content": []}, "parent": "3", "children": [9]},
    ],
)
def test_what_is_not_seen_is_not_taken(hidden: dict[str, Any]) -> None:
    nodes = (node("2", None, "user", "a"), node("3", "2", "assistant", "b"), hidden)
    (document,) = documents([conversation(*nodes, node("4", "x", "user", "c"), at="4")])
    assert spoken(document) == [("me", "a"), ("assistant", "b"), ("me", "c")]


def test_pictures_go_and_spoken_words_and_answers_without_marks_stay() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    heard = {"content_type": "audio_transcription", "text": "said aloud"}
    cited = "Loop\ue200cite\ue202turn0search1\ue201 it【4†source】."
    (document,) = documents(
        [
            conversation(
                node("1", None, "user", picture, "what is it", heard, kind="multimodal_text"),
                node("2", "1", "assistant", cited),
                node("3", "2", "user", "ok"),
                at="3",
            )
        ]
    )
    assert spoken(document)[:2] == [("me", "what is it\nsaid aloud"), ("assistant", "Loop it.")]


def test_a_long_conversation_is_parted_between_exchanges_and_grows_at_its_end() -> None:
    def long(turns: int) -> dict[str, Any]:
        nodes, parent = [], None
        for number in range(turns):
            role = "assistant" if number % 2 else "user"
            nodes.append(node(f"{number}", parent, role, f"{number} " + "word " * 500))
            parent = f"{number}"
        return conversation(*nodes, at=parent)

    before, after = documents([long(20)]), documents([long(24)])
    assert len(before) > 3
    assert all(one.turns[0].speaker == "me" for one in after)
    assert all(len(one.text) < 1.5 * MOST_CHARACTERS for one in after)
    assert after[: len(before) - 1] == before[:-1]
    assert len(own_words(after)) == 12
    assert [one.path_suffix for one in before] == ["c-1", *(f"c-1/{n}" for n in range(2, 6))][
        : len(before)
    ]


def test_circles_and_odd_values_end_a_branch() -> None:
    round_ = conversation(node("1", "2", "user", "a"), node("2", "1", "user", "b"), at="1")
    assert own_words(documents([round_])) == ["b", "a"]
    lost = conversation(node("1", "2", "user", "a"), node("2", "1", "user", "b"), at="nowhere")
    odd = [
        lost,
        {"mapping": 5},
        {"mapping": {"1": None}, "current_node": "1"},
        {"mapping": {"1": {"message": {"author": {"role": []}}}}, "current_node": "1"},
        "text",
        None,
        conversation(node("1", None, "user", "x", kind=["text"]), at="1"),  # type: ignore[arg-type]
        conversation(node("1", None, "user", "kept", create_time=10**400), at="1"),
    ]
    assert own_words(documents([tree(), *odd]))[-1] == "kept"


def test_two_conversations_of_one_name_are_two() -> None:
    assert [one.path_suffix for one in documents([tree(), tree()])] == ["c-1", "c-1/2"]


def test_a_cut_off_export_is_damaged() -> None:
    with pytest.raises(Unreadable) as error:
        documents('[{"title": "a", "mapping": {}}, {"mapping": ')
    assert error.value.reason is SkipReason.DAMAGED
