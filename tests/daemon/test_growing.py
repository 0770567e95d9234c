"""What is new in a text that has grown, changed or shrunk, in whole paragraphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.growing import new_part


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("One.\n\nTwo.", "One.\n\nTwo.\n\nThree.", "Three."),
        ("One.\n\nTwo.\n", "One.\n\nTwo.\n\nThree.\n", "Three.\n"),
        ("One.\n\nTwo.", "One.\n\nTwo. And more.", "Two. And more."),
        ("One.\n\nTwo.", "Zero.\n\nOne.\n\nTwo.", "Zero.\n\n"),
        ("One.\n\nTwo.\n\nThree.", "One.\n\nTwo changed.\n\nThree.", "Two changed.\n\n"),
        ("One.\n\nTwo.\n\nThree.", "One.\n\nThree.", ""),
        ("a: hi\nb: yes\n", "a: hi\nb: yes\na: bye\n", "a: bye\n"),
        ("a\na\n", "a\na\na\n", "a\n"),
        ("Something.", "Another thing.", "Another thing."),
        ("The same.", "The same.", ""),
        ("", "All of it.", "All of it."),
        ("All of it.", "", ""),
    ],
)
def test_the_new_part(old: str, new: str, expected: str) -> None:
    start, end = new_part(old, new)
    assert new[start:end] == expected


texts = st.text(alphabet="ab\n ", max_size=60)


@given(old=texts, new=texts)
def test_what_is_not_new_stood_there_before(old: str, new: str) -> None:
    start, end = new_part(old, new)
    assert 0 <= start <= end <= len(new)
    assert old.startswith(new[:start].rstrip())
    assert old.endswith(new[end:])


@given(old=texts, added=texts)
def test_what_is_added_is_new(old: str, added: str) -> None:
    new = f"{old}\n\n{added}"
    start, end = new_part(old, new)
    assert len(new[start:end].strip()) >= len(added.strip()) or added.strip() in old
    start, end = new_part(old, new := f"{old}\n\nc")
    assert "c" in new[start:end]
