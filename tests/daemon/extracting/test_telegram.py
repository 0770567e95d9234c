"""Exports of Telegram Desktop, of one chat and of the whole account."""

import datetime
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chats import extract
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted
from tests.daemon.extracting.chat_reading import ME, documents, facts, own_words, spoken

NOON = 1_704_110_400  # 2024-01-01T12:00:00Z
PEOPLE = {"user1": ME, "user2": "Anna Berg", "user3": "Uwe"}


def message(number: int, who: str, text: Any, *, minutes: float = 0, **more: Any) -> dict[str, Any]:
    at = NOON + int(minutes * 60)
    date = datetime.datetime.fromtimestamp(at, datetime.UTC).replace(tzinfo=None).isoformat()
    return {
        "id": number,
        "type": "message",
        "date": date,
        "date_unixtime": f"{at}",
        "from": PEOPLE.get(who),
        "from_id": who,
        "text": text,
        "text_entities": [],
        **more,
    }


def chat(*messages: dict[str, Any], number: int = 77, **more: Any) -> dict[str, Any]:
    return {
        "name": "Anna Berg",
        "type": "personal_chat",
        "id": number,
        "messages": list(messages),
        **more,
    }


TALK = (
    message(1, "user2", "Are you there?"),
    message(2, "user1", "Yes!", minutes=1),
    message(3, "user1", "Just back.", minutes=2),
)


def test_one_chat() -> None:
    (document,) = documents(chat(*TALK))
    assert spoken(document) == [("A", "Are you there?"), ("me", "Yes!\nJust back.")]
    assert document.path_suffix == "77/2024-01-01T12:00:00"
    assert document.modified_at == NOON + 120
    assert document.about == {"format": "telegram"}


def test_the_whole_account() -> None:
    account = {
        "about": "Here is the data you requested.",
        "personal_information": {"user_id": 1, "first_name": "Max"},
        "contacts": {"about": "", "list": [{"first_name": "Anna"}] * 50},
        "chats": {"about": "", "list": [chat(*TALK), chat(*TALK, number=78)]},
        "left_chats": {"about": "", "list": [chat(*TALK, number=79)]},
    }
    found = documents(account)
    assert [one.path_suffix.partition("/")[0] for one in found] == ["77", "78", "79"]
    assert len({one.text for one in found}) == 1


def test_text_may_be_a_list_of_strings_and_entities() -> None:
    text = [
        "See ",
        {"type": "bold", "text": "this"},
        ", ",
        {"type": "mention", "text": "@bergsteigerin"},
        " and ",
        {"type": "mention_name", "text": "Anna Berg", "user_id": 2},
        {"type": "custom_emoji"},
        7,
    ]
    (document,) = documents(chat(*TALK, message(4, "user1", text)))
    assert own_words([document])[-1] == "See this, B and A"


@pytest.mark.parametrize(
    "more",
    [
        {"forwarded_from": "Anna Berg"},
        {"forwarded_from_id": "user2"},
        {"via_bot": "@gifs"},
        {"type": "service", "action": "phone_call"},
        {"text": ""},
        {"text": [], "poll": {"question": "Where to?"}},
        {"text": None, "location_information": {"latitude": 1.0}},
    ],
)
def test_what_the_user_did_not_write_is_left_out(more: dict[str, Any]) -> None:
    found = documents(chat(*TALK, {**message(4, "user1", "not mine"), **more}))
    assert own_words(found) == ["Yes!", "Just back."]


def test_the_user_may_be_named_by_number_and_others_have_no_name_left() -> None:
    deleted = message(4, "user9", "Bye", minutes=3)
    last = message(5, "user1", "Anna Berg, he left\nUwe: really", minutes=4)
    found = documents(chat(*TALK, deleted, message(6, "user3", "oh"), last), me=("user1",))
    assert spoken(found[0])[2:] == [("B", "Bye"), ("C", "oh"), ("me", "A, he left\nC: really")]


def test_pauses_part_conversations() -> None:
    later = message(9, "user1", "New day", minutes=20 * 60)
    assert [own_words([one]) for one in documents(chat(*TALK, later))] == [
        ["Yes!", "Just back."],
        ["New day"],
    ]


def test_what_is_whole_of_a_cut_off_export_is_kept() -> None:
    text = json.dumps(chat(*TALK, *(message(n, "user1", f"m{n}", minutes=n) for n in range(9))))
    found: list[Extracted] = []
    with pytest.raises(Unreadable) as error:
        found.extend(extract(io.BytesIO(text[:-300].encode()), facts(len(text))))
    assert error.value.reason is SkipReason.DAMAGED
    assert own_words(found)[:5] == ["Yes!", "Just back.", "m0", "m1", "m2"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_id": None, "from": None},
        {"from_id": {"a": []}},
        {"date_unixtime": "9" * 400, "date": "2023-02-31T00:00:00"},
        {"date_unixtime": "nan", "date": None},
        {"date_unixtime": -1e300, "date": "0001-01-01T00:00:00"},
        {"date_unixtime": True},
        {"id": 2},
        {"text": {"a": 1}},
        {"text": [[[["deep"]]]]},
        {"text": "\ud800\x00 lone"},
        {"from": "B" * 100_000},
    ],
)
def test_odd_values_cost_one_message_at_most(wrong: dict[str, Any]) -> None:
    odd = {**message(4, "user2", "odd"), **wrong}
    text = json.dumps(chat(odd, *TALK, odd, "no message", 5))  # type: ignore[arg-type]
    assert own_words(documents(text)) == ["Yes!", "Just back."]


@pytest.mark.parametrize("export", [chat(), {"chats": {"list": []}}, {"chats": {"list": [1, []]}}])
def test_an_export_without_messages_is_named(export: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        documents(export)


def test_a_chat_without_the_user_is_named() -> None:
    with pytest.raises(Unreadable) as error:
        documents(chat(*TALK), me=("Tim",))
    assert error.value.reason is SkipReason.NOT_NAMED


@given(
    said=st.lists(
        st.tuples(
            st.sampled_from(sorted(PEOPLE)), st.text("abc dé\n", min_size=1), st.integers(0, 900)
        ),
        max_size=25,
    )
)
def test_every_own_message_comes_once(said: list[tuple[str, str, int]]) -> None:
    minutes, messages, own = 0, [], []
    for number, (who, text, gap) in enumerate([("user1", "x", 0), *said]):
        minutes += gap
        words = f"w{number} {text}"
        messages.append(message(number, who, words, minutes=minutes))
        own += words.strip().split("\n") if who == "user1" else []
    found = documents(chat(*messages))
    assert own_words(found) == own
    assert not any("Anna Berg" in one.text or "Uwe" in one.text for one in found)
