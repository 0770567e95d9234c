"""What the service believes of what its curating child says."""

import json
from typing import Any

import pytest

from daemon.curation_wire import (
    MOST_CHARACTERS,
    ChildLiedError,
    packed_facts,
    packed_texts,
    unpacked_facts,
    unpacked_texts,
)
from storage.records import DocumentState, SpokenTurn, StoredDocument
from trainer.curation_facts import GivenText, TextFacts

ROW = [3, "en", 0.9, None, None, 3]


def stored(number: int, text: str, *, state: DocumentState = DocumentState.NEW) -> StoredDocument:
    return StoredDocument(
        document_id=number,
        item_id=number,
        version=1,
        state=state,
        source="letters",
        path="to-ada.md",
        modified_at=12.5,
        collected_day="2026-11-21",
        text=text,
        turns=(SpokenTurn(own=True, speaker="me", start=0, end=4),),
        own=False,
        about={"quality": "good", "title": "Bees"},
    )


def test_texts_arrive_as_they_were_sent_without_what_nobody_needs() -> None:
    packed = packed_texts(
        [stored(3, "Bees 蜂 \ud800"), stored(4, "x", state=DocumentState.LEARNED)]
    )
    assert b"to-ada" not in packed
    assert b'Bees"' not in packed
    first, second = unpacked_texts(packed)
    assert first == GivenText(
        document_id=3,
        settled=False,
        modified_at=12.5,
        text="Bees 蜂 \ud800",
        turns=(SpokenTurn(own=True, speaker="", start=0, end=4),),
        own=False,
        about={"quality": "good"},
    )
    assert second.settled


def test_of_an_endless_text_the_beginning_is_sent() -> None:
    (text,) = unpacked_texts(packed_texts([stored(3, "a" * (MOST_CHARACTERS + 9))]))
    assert len(text.text) == MOST_CHARACTERS


def test_facts_arrive_as_they_were_found() -> None:
    facts = {
        3: TextFacts(
            document_id=3, language="en", quality=0.5, reason=None, twin_of=None, family=3
        ),
        4: TextFacts(document_id=4, language="und", quality=0.0, reason="log", twin_of=3, family=3),
    }
    assert unpacked_facts(packed_facts(facts.values()), [4, 3]) == facts
    assert unpacked_facts(packed_facts([]), []) == {}


@pytest.mark.parametrize(
    "said",
    [
        b"\xff",
        b"[" * 100_000,
        {},
        [],
        [ROW, ROW],
        [ROW[:5]],
        [[4, *ROW[1:]]],
        [["3", *ROW[1:]]],
        [[True, *ROW[1:]]],
        [[3, "a sentence of the text", *ROW[2:]]],
        [[3, 5, *ROW[2:]]],
        [[3, "en", 1.1, None, None, 3]],
        [[3, "en", float("nan"), None, None, 3]],
        [[3, "en", True, None, None, 3]],
        [[3, "en", 0.9, "Dear Ada, ", None, 3]],
        [[3, "en", 0.9, 7, None, 3]],
        [[3, "en", 0.9, None, 3, 3]],
        [[3, "en", 0.9, None, 9, 3]],
        [[3, "en", 0.9, None, None, 9]],
        [[3, "en", 0.9, None, None, None]],
    ],
    ids=str,
)
def test_what_cannot_be_is_not_believed(said: Any) -> None:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    with pytest.raises(ChildLiedError):
        unpacked_facts(body, [3])
