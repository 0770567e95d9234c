"""Passages to compare two adapters by: how they are cut. What answers them: tests/pipeline."""

import pytest

from daemon.night_passages import BEGINNING_CHARACTERS, SHOWN_CHARACTERS, passage_of
from storage.records import DocumentState, StoredDocument


def document(text: str) -> StoredDocument:
    return StoredDocument(
        document_id=7, item_id=3, version=1, state=DocumentState.NEW, source="notes",
        path="a.md", modified_at=0.0, collected_day="2026-01-01", text=text,
    )  # fmt: skip


def test_a_passage_is_cut_between_words_and_loses_none() -> None:
    text = "The bees came back on Tuesday. " * 30

    passage = passage_of(document(text))

    assert passage is not None
    assert (passage.document, len(passage.beginning) <= BEGINNING_CHARACTERS) == (7, True)
    assert text.startswith(passage.beginning + passage.written)
    assert passage.written.startswith(" ")
    assert len(passage.written) == SHOWN_CHARACTERS


@pytest.mark.parametrize("text", ["", "Too short.", "x" * 2000, " " * 2000])
def test_what_cannot_be_continued_is_left_out(text: str) -> None:
    assert passage_of(document(text)) is None


def test_text_is_not_in_a_repr() -> None:
    assert "bees" not in repr(passage_of(document("The bees came back on Tuesday. " * 30)))
