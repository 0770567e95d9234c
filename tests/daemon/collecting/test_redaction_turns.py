"""What is taken out of conversations: turn by turn, numbered over all of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.collecting.redaction import find_secrets, redact, redact_again
from daemon.collecting.redaction_rules import RULES_VERSION
from storage.records import (
    CollectedDocument,
    DocumentState,
    RedactedDocument,
    SpokenTurn,
    StoredDocument,
)

CARD = "4111 1111 " + "1111 1111"
KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
SPOKEN = tuple[str, str]  # speaker, words


def talk(*spoken: SPOKEN, labels: bool = False, **about: str) -> CollectedDocument:
    text, turns = "", []
    for speaker, words in spoken:
        text += f"{speaker}: " if labels else ""
        turns.append(
            SpokenTurn(
                own=speaker == "me", speaker=speaker, start=len(text), end=len(text) + len(words)
            )
        )
        text += f"{words}\n"
    return CollectedDocument(
        source="chats", path="a.txt#1", modified_at=1.0, text=text, turns=tuple(turns), about=about
    )


def said(document: RedactedDocument) -> list[SPOKEN]:
    return [(turn.speaker, document.text[turn.start : turn.end]) for turn in document.turns]


def stored(document: RedactedDocument) -> StoredDocument:
    return StoredDocument(
        document_id=1, item_id=1, version=1, state=DocumentState.NEW, source=document.source,
        path=document.path, modified_at=document.modified_at, collected_day="2026-05-01",
        text=document.text, turns=document.turns, own=document.own, about=document.about,
    )  # fmt: skip


@pytest.mark.parametrize("labels", [False, True])
def test_each_turn_stays_where_its_words_are(labels: bool) -> None:
    given = talk(
        ("A", f"Take {CARD}, or write to anna@example.org!"),
        ("me", "Thanks."),
        ("A", "anna@example.org, and bo@example.org"),
        labels=labels,
    )
    assert said(redact(given)) == [
        ("A", "Take [card 1], or write to [email 1]!"),
        ("me", "Thanks."),
        ("A", "[email 1], and [email 2]"),
    ]


def test_what_one_speaker_ends_with_is_no_part_of_what_the_next_begins_with() -> None:
    kept = redact(talk(("A", "we need 12"), ("me", CARD), ("A", "34 please")))
    assert said(kept) == [("A", "we need 12"), ("me", "[card 1]"), ("A", "34 please")]


def test_a_key_that_was_sent_in_two_messages_goes_from_both() -> None:
    begin, end = (f"-----{word} PRIVATE KEY-----" for word in ("BEGIN", "END"))
    kept = redact(talk(("A", f"Here: {begin}\n{KEY_LINE}"), ("A", f"{KEY_LINE}\n{end} Bye.")))
    assert said(kept) == [("A", "Here: [private key 1]"), ("A", "[private key 2] Bye.")]


def test_what_stands_between_the_turns_is_redacted_too() -> None:
    text = "anna@example.org wrote:\nCome at noon.\nbo@example.org wrote:\nYes."
    turns = tuple(
        SpokenTurn(own=False, speaker="A", start=text.index(words), end=text.index(words) + size)
        for words, size in (("Come", 13), ("Yes", 4))
    )
    document = CollectedDocument(source="m", path="p", modified_at=1.0, text=text, turns=turns)
    kept = redact(document)
    assert kept.text == "[email 1] wrote:\nCome at noon.\n[email 2] wrote:\nYes."
    assert said(kept) == [("A", "Come at noon."), ("A", "Yes.")]


def test_what_is_known_about_a_document_is_redacted_with_the_same_numbers() -> None:
    kept = redact(
        talk(("me", "Write to anna@example.org"), title="To anna@example.org, bo@example.org")
    )
    assert kept.about == {"title": "To [email 1], [email 2]"}


def test_whose_writing_it_is_stays_known() -> None:
    document = CollectedDocument(source="s", path="p", modified_at=1.0, text="Bees.", own=False)
    assert redact(document).own is False


@pytest.mark.parametrize("turns", [((0, 9),), ((2, 1),), ((0, 3), (2, 4)), ((2, 4), (0, 1))])
def test_turns_that_fit_no_text_are_refused(turns: tuple[tuple[int, int], ...]) -> None:
    spoken = tuple(SpokenTurn(own=True, speaker="me", start=a, end=b) for a, b in turns)
    document = CollectedDocument(source="s", path="p", modified_at=1.0, text="Bees.", turns=spoken)
    with pytest.raises(ValueError, match="in order"):
        redact(document)


def test_a_conversation_that_is_kept_is_redacted_again_as_one() -> None:
    secret = redact(talk(("A", f"[email 3] and {CARD}"), ("me", "Good."), title="[email 4]"))
    new = talk(("A", "[email 3] and new@example.org"), ("me", "Good."), title="[email 4]")
    again = redact_again(stored(redact(new)))
    assert redact_again(stored(secret)).text == secret.text
    assert again.rules_version == RULES_VERSION
    assert said(again) == [("A", "[email 3] and [email 5]"), ("me", "Good.")]
    assert again.about == {"title": "[email 4]"}


WORDS = st.lists(
    st.sampled_from(
        ["bees", "12", CARD, "4111 1111", "1111 1111", "a@example.org", "the password is",
         "hunter2hunter2", "\n", "[email 2]", "+49 30 901820", "token="]
    ),
    max_size=5,
).map(" ".join)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["me", "A", "B"]), WORDS), max_size=6))
def test_redacting_a_conversation_twice_is_redacting_it_once(spoken: list[SPOKEN]) -> None:
    document = talk(*spoken)
    once = redact(document)
    assert [turn.speaker for turn in once.turns] == [speaker for speaker, _ in spoken]
    assert redact_again(stored(once)) == without_finds(once)
    for find in once.redactions:
        crossed = [t for t in document.turns if t.start < find.end and find.start < t.end]
        assert len(crossed) <= 1
    assert find_secrets(once.text, turns=once.turns) == []


def without_finds(document: RedactedDocument) -> RedactedDocument:
    return RedactedDocument(
        source=document.source, path=document.path, modified_at=document.modified_at,
        text=document.text, rules_version=document.rules_version, turns=document.turns,
        own=document.own, about=document.about,
    )  # fmt: skip
