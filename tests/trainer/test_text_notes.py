"""Facts from notes are the facts from texts, whatever came and went in between."""

from collections.abc import Sequence

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st

from tests.trainer.letter_making import chinese_letter, edited, letter, shuffled
from tests.trainer.test_overlap import FOOTER
from tests.trainer.written_texts import WRITTEN, machine_made
from trainer.curation_facts import GivenText, TextFacts
from trainer.fact_finding import FactFinding
from trainer.text_notes import NoteBroken, packed, unpacked

TEXTS = [
    *(letter(seed, sentences=8) for seed in range(4)),
    *(edited(letter(seed, sentences=8), seed) for seed in range(4)),
    *(f"{letter(seed, sentences=4)}\n\n{FOOTER}" for seed in range(8)),
    shuffled(letter(0, sentences=8), 1),
    f"{letter(1, sentences=8)}\n{letter(90)}",
    chinese_letter(1),
    FOOTER,
    WRITTEN["German"],
    machine_made()["log"][0],
    "",
    "Yes",
]


def given(number: int, text: str, *, settled: bool) -> GivenText:
    return GivenText(document_id=number, settled=settled, modified_at=number % 5, text=text)


def anew(texts: Sequence[GivenText]) -> list[TextFacts]:
    finding = FactFinding()
    for text in texts:
        finding.add(text)
    return finding.facts()


@pytest.fixture(scope="module")
def notes() -> dict[tuple[int, bool], bytes]:
    """By text and whether it was settled when it was read."""
    finding = FactFinding()
    return {
        (number, settled): packed(finding.add(given(number, text, settled=settled)))
        for number, text in enumerate(TEXTS)
        for settled in (False, True)
    }


@settings(deadline=None, max_examples=25)
@given_that(data=st.data())
def test_facts_from_notes_of_some_are_the_facts_of_reading_all(
    data: st.DataObject, notes: dict[tuple[int, bool], bytes]
) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(len(TEXTS))), unique=True))
    settled = set(data.draw(st.lists(st.sampled_from(kept)))) if kept else set()
    noted = set(data.draw(st.lists(st.sampled_from(kept)))) if kept else set()
    were_settled = data.draw(st.booleans())
    finding = FactFinding()
    for number in kept:
        if number in noted:
            note = notes[number, were_settled or number in settled]
            finding.add_noted(number, unpacked(note), settled=number in settled)
        else:
            finding.add(given(number, TEXTS[number], settled=number in settled))
    assert finding.facts() == anew(
        [given(number, TEXTS[number], settled=number in settled) for number in sorted(kept)]
    )


def test_a_note_is_small_and_holds_no_word(notes: dict[tuple[int, bool], bytes]) -> None:
    assert max(map(len, notes.values())) < 3000
    assert not any(b"Zoe" in note or b"river" in note for note in notes.values())


def test_what_is_no_note_is_refused(notes: dict[tuple[int, bool], bytes]) -> None:
    note = notes[0, True]
    for broken in (b"", note[:40], note[:-1], note[:90] + b"\xff" * 600 + note[690:], b"\1" * 99):
        with pytest.raises(NoteBroken):
            unpacked(broken)


def test_no_text_stands_in_a_repr() -> None:
    alone = FactFinding().add(given(1, letter(1), settled=False))
    assert "Zoe" not in repr(alone) + repr(unpacked(packed(alone)))
