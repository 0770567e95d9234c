"""What a worker says, and what of it is believed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted
from daemon.extracting.limits import MIB, PATIENT_BYTES, Limits, seconds_for
from daemon.extracting.wire import ABOUT_ENTRIES, SPEAKERS, SUFFIX_CHARS, Lie, packed, unpacked
from ipc.frames import Message, encode_header
from storage.records import SpokenTurn

LIMITS = Limits()
TEXT = "Is the honey ready?\n\nNot before Saint Monday, my dear \u00c9milie."
TURNS = (
    SpokenTurn(own=False, speaker="A", start=0, end=19),
    SpokenTurn(own=True, speaker="me", start=21, end=len(TEXT)),
)
CHAT = Extracted(
    path_suffix="2024-05", text=TEXT, turns=TURNS, modified_at=1.5e9, about={"title": "Bees"}
)


def through(document: Extracted) -> Extracted:
    header, body = packed(document, LIMITS)
    encode_header({"id": 1, "total": len(body), "header": header})  # it fits into a frame
    said = unpacked(Message(header=header, body=body), LIMITS)
    assert isinstance(said, Extracted)
    return said


def test_a_document_arrives_as_it_was_sent() -> None:
    assert through(CHAT) == CHAT
    assert through(Extracted(text="")) == Extracted(text="")


@given(st.text(), st.dictionaries(st.text(), st.text()), st.text(max_size=SUFFIX_CHARS))
def test_any_text_arrives_with_as_many_characters(
    text: str, about: dict[str, str], suffix: str
) -> None:
    said = through(Extracted(text=text, about=about, path_suffix=suffix))

    assert len(said.text) == len(text)
    said.text.encode("utf-8")
    said.path_suffix.encode("utf-8")


def test_the_longest_facts_fit_into_a_frame() -> None:
    speakers = [
        chr(65 + n // 26**2) + chr(65 + n // 26 % 26) + chr(65 + n % 26) for n in range(SPEAKERS)
    ]
    turns = tuple(
        SpokenTurn(own=False, speaker=one, start=n, end=n + 1) for n, one in enumerate(speakers)
    )
    about = {str(n) + "€" * 100: "\u20ac" * 1000 for n in range(2 * ABOUT_ENTRIES)}
    document = Extracted(
        text="." * SPEAKERS, turns=turns, about=about, path_suffix="\u20ac" * SUFFIX_CHARS
    )

    said = through(document)
    assert said.turns == turns
    assert len(said.about) == ABOUT_ENTRIES


def test_impossible_times_are_no_times() -> None:
    for time in (-1.0, 1e300, 10**400, float("nan"), float("inf")):
        assert through(replace(CHAT, modified_at=time)).modified_at is None


@pytest.mark.parametrize(
    "document",
    [
        Extracted(text="." * (2 * MIB + 1)),
        Extracted(text=TEXT, turns=tuple(replace(TURNS[0], start=0, end=1) for _ in range(11))),
    ],
)
def test_what_is_too_large_is_not_sent(document: Extracted) -> None:
    with pytest.raises(Unreadable) as why:
        packed(document, replace(LIMITS, document_bytes=2 * MIB, turns=10))
    assert why.value.reason is SkipReason.TOO_LARGE


def test_the_end_and_a_reason_are_understood() -> None:
    assert unpacked(Message(header={"end": 3}), LIMITS) is None
    assert unpacked(Message(header={"failed": "no_text"}), LIMITS) is SkipReason.NO_TEXT


# --------------------------------------------------------------------------- lies


def told(**changes: Any) -> dict[str, Any]:
    header, _ = packed(CHAT, LIMITS)
    return {"document": header["document"] | changes}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"end": 1, "failed": "no_text"},
        {"failed": "excluded"},  # not a worker's to say
        {"document": None},
        {"document": {}},
        told(more=1),
        told(text_bytes=-1),
        told(text_bytes=10**9),
        told(text_bytes=True),
        told(text_bytes=20),  # turns beyond their text
        told(suffix=7),
        told(suffix="x" * (SUFFIX_CHARS + 1)),
        told(modified_at="yesterday"),
        told(modified_at=True),
        told(about=[]),
        told(about={"title": 7}),
        told(about={str(n): "" for n in range(ABOUT_ENTRIES + 1)}),
        told(speakers=None),
        told(speakers=["A"]),  # fewer than the turns name
        told(speakers=["Ada Lovelace", "me"]),  # a name, not a pseudonym
        told(speakers=["me\n", "me"]),
    ],
)
def test_lies_in_the_header_are_found(header: dict[str, Any]) -> None:
    _, body = packed(CHAT, LIMITS)
    with pytest.raises(Lie):
        unpacked(Message(header=header, body=body), LIMITS)


def changed_turns(*turns: SpokenTurn) -> Extracted:
    return replace(CHAT, turns=turns)


@pytest.mark.parametrize(
    "document",
    [
        changed_turns(replace(TURNS[0], end=len(TEXT) + 1)),
        changed_turns(replace(TURNS[0], start=5, end=5)),
        changed_turns(replace(TURNS[0], start=6, end=5)),
        changed_turns(TURNS[1], TURNS[0]),
        changed_turns(TURNS[0], replace(TURNS[1], start=18)),
    ],
)
def test_turns_that_lie_wrong_are_found(document: Extracted) -> None:
    header, body = packed(document, LIMITS)
    with pytest.raises(Lie):
        unpacked(Message(header=header, body=body), LIMITS)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1],
        lambda body: body + b"\0",
        lambda body: b"\xff" + body[1:],
        lambda body: body + bytes(11 * LIMITS.turns),
    ],
)
def test_lies_in_the_body_are_found(change: Callable[[bytes], bytes]) -> None:
    header, body = packed(CHAT, LIMITS)
    with pytest.raises(Lie):
        unpacked(Message(header=header, body=change(body)), LIMITS)


def test_a_large_container_gets_more_time_and_nothing_else_does() -> None:
    assert seconds_for(LIMITS, 10 * PATIENT_BYTES, patient=False) == 30.0
    assert seconds_for(LIMITS, 0, patient=True) == 30.0
    assert seconds_for(LIMITS, PATIENT_BYTES, patient=True) == 30.0
    assert seconds_for(LIMITS, 10 * PATIENT_BYTES, patient=True) == 300.0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=3,
)
FACTS = st.fixed_dictionaries(
    {
        "suffix": st.text() | JSON,
        "modified_at": st.floats() | JSON,
        "about": st.dictionaries(st.text(), st.text()) | JSON,
        "text_bytes": st.integers(-1, 40) | JSON,
        "speakers": st.just(["me", "A"]) | JSON,
    }
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["document", "failed", "end"]), FACTS | JSON), st.binary())
def test_nothing_that_is_said_breaks_the_listener(header: dict[str, Any], body: bytes) -> None:
    try:
        said = unpacked(Message(header=header, body=body), LIMITS)
    except Lie:
        return
    if isinstance(said, Extracted):
        said.text.encode("utf-8")
        assert all(0 <= turn.start < turn.end <= len(said.text) for turn in said.turns)


@pytest.mark.parametrize("reason", [["no_text"], {}, None, 7, "honey", "excluded"])
def test_a_reason_is_one_of_ours(reason: Any) -> None:
    with pytest.raises(Lie):
        unpacked(Message(header={"failed": reason}), LIMITS)
