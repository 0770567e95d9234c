"""Conversation trees of the OASST kind: the best reply at each level, both sides learned."""

import json
from typing import Any

import pytest

from daemon.extracting.errors import Unreadable
from tests.daemon.extracting.chat_reading import documents, spoken


def said(name: str, role: str, text: str, *replies: Any, **more: Any) -> dict[str, Any]:
    message = {"message_id": name, "role": role, "text": text, "lang": "en", "replies": replies}
    return {**message, **more}


TREE: dict[str, Any] = {
    "message_tree_id": "t-1",
    "tree_state": "ready_for_export",
    "prompt": said(
        "1",
        "prompter",
        "Why is the sky blue?",
        said("2", "assistant", "Because of paint.", rank=1),
        said(
            "3",
            "assistant",
            "Air scatters blue light most.",
            said("5", "prompter", "And at dusk?", said("6", "assistant", "Longer way."), rank=0),
            said("7", "prompter", "Thanks", rank=1),
            rank=0,
        ),
        said("4", "assistant", "gone", rank=-1, deleted=True),
    ),
}
BEST = [
    ("A", "Why is the sky blue?"),
    ("assistant", "Air scatters blue light most."),
    ("A", "And at dusk?"),
    ("assistant", "Longer way."),
]


def flat(message: dict[str, Any], parent: str | None = None) -> list[dict[str, Any]]:
    own = {**message, "parent_id": parent, "message_tree_id": "t-1"}
    below = own.pop("replies")
    return [own, *(one for reply in below for one in flat(reply, message["message_id"]))]


def lines(values: list[Any]) -> str:
    return "\n".join(json.dumps(value) for value in values)


@pytest.mark.parametrize(
    "export",
    [
        lines([TREE]),
        [TREE],
        lines(flat(TREE["prompt"])),
        lines(flat(TREE["prompt"])[::-1]),
        lines(flat(TREE["prompt"]) * 2),
    ],
    ids=["trees", "list", "flat", "flat, backwards", "flat, twice"],
)
def test_the_best_reply_at_each_level(export: Any) -> None:
    (document,) = documents(export, me=())
    assert spoken(document) == BEST
    assert all(turn.own for turn in document.turns)
    assert document.about == {"format": "oasst", "language": "en"}
    assert document.path_suffix in ("t-1", "1")


def test_conversations_as_lists_of_messages() -> None:
    export = {
        "id": "m-1",
        "lang": "de",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hallo"},
            {"role": "assistant", "content": "Guten Tag"},
        ],
    }
    (document,) = documents(lines([export, {"messages": []}, {"messages": 3}]), me=())
    assert spoken(document) == [("A", "Hallo"), ("assistant", "Guten Tag")]
    assert document.path_suffix == "m-1"


def test_hostile_trees_give_what_is_whole() -> None:
    deep = '{"message_tree_id": "d", "prompt": ' + '{"replies": [' * 5000
    circle = [
        {"message_id": "a", "parent_id": "b", "role": "prompter", "text": "x"},
        {"message_id": "b", "parent_id": "a", "role": "assistant", "text": "y"},
    ]
    odd = [
        {"prompt": 5},
        {"prompt": {"role": "prompter", "text": "alone", "replies": 7}},
        {"prompt": {"role": [], "text": {}, "replies": [None, 3]}},
        *circle,
        {**TREE["prompt"], "message_id": 7, "parent_id": None},
    ]
    (document,) = documents(lines([TREE, *odd]), me=())
    assert spoken(document) == BEST
    with pytest.raises(Unreadable):
        documents(lines([TREE]) + "\n" + deep, me=())
