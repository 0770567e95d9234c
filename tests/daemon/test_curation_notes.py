"""Notes of texts: kept while the text is there and as far as there is room."""

from daemon import curation_notes
from daemon.curation_notes import OVERHEAD_BYTES, CurationNotes, Present
from daemon.curation_wire import TextNote


def note(number: int, *, size: int = 10, compared: bool = True) -> TextNote:
    return TextNote(document_id=number, flag=compared, data=b"z" * size)


def present(*ids: int, settled: bool = False, key_id: int = 1) -> dict[int, Present]:
    return {number: Present(settled=settled, key_id=key_id) for number in ids}


def test_what_went_or_has_another_text_is_dropped() -> None:
    notes = CurationNotes()
    notes.keep([note(1), note(2), note(3)], present(1, 2, 3))
    notes.keep_only(present(1) | present(2, key_id=2))
    assert notes.known() == {1}
    notes.drop([1, 9])
    assert len(notes) == 0


def test_what_was_never_compared_is_read_again_once_it_counts() -> None:
    notes = CurationNotes()
    notes.keep([note(1, compared=False), note(2)], present(1, 2))
    notes.keep_only(present(1, 2, settled=True))
    assert notes.known() == {2}


def test_a_child_is_told_what_is_settled_now_and_nothing_of_the_dropped() -> None:
    notes = CurationNotes()
    notes.keep([note(1, compared=False), note(2)], present(1, 2))
    ((*ids,),) = notes.lots()
    notes.drop([1])
    (told,) = notes.told(ids, present(1, 2, settled=True))
    assert (told.document_id, told.flag) == (2, True)


def test_what_does_not_fit_is_not_kept_and_room_comes_back() -> None:
    notes = CurationNotes(most_bytes=2 * (100 + OVERHEAD_BYTES))
    notes.keep([note(number, size=100) for number in (1, 2, 3)], present(1, 2, 3))
    assert notes.known() == {1, 2}
    notes.keep([note(2, size=90)], present(2))
    notes.drop([1])
    notes.keep([note(3, size=110)], present(3))
    assert notes.known() == {2, 3}
    notes.clear()
    notes.keep([note(4, size=400)], present(4))
    assert notes.known() == {4}


def test_a_child_is_told_megabytes_at_a_time() -> None:
    notes = CurationNotes()
    assert notes.lots() == []
    size = curation_notes.LOT_BYTES // 2
    notes.keep([note(number, size=size) for number in range(5)], present(*range(5)))
    assert notes.lots() == [[0, 1], [2, 3], [4]]


def test_no_text_stands_in_a_repr() -> None:
    notes = CurationNotes()
    notes.keep([note(1)], present(1))
    assert "zz" not in repr(note(1)) + repr(notes) + repr(notes.told([1], present(1)))
