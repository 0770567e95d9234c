"""Large JSON, value by value, from pieces that end anywhere."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.extracting.json_stream import DamagedJson, JsonStream

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def pieces(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def told(stream: JsonStream) -> Any:
    """All of it, one level at a time."""
    if stream.opens() == "[":
        return [told(stream) for _ in stream.elements()]
    if stream.opens() == "{":
        return {name: told(stream) for name in stream.members()}
    return stream.value()


@given(value=VALUES, size=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_pieces_may_end_anywhere(value: Any, size: int, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert JsonStream(pieces(text, size)).value() == value
    assert told(JsonStream(pieces(text, size))) == value
    stream = JsonStream(pieces(f"{text} {text}", size))
    stream.skip()
    assert stream.value() == value
    assert stream.opens() == ""


@given(value=VALUES.filter(lambda value: isinstance(value, dict | list)), share=st.floats(0, 0.99))
def test_a_cut_off_text_is_damaged(value: Any, share: float) -> None:
    text = json.dumps(value)
    with pytest.raises(DamagedJson):
        told(JsonStream(pieces(text[: int(share * len(text))], 7)))


@pytest.mark.parametrize(
    "text", ["", "nul", "[1,]", '{"a" 1}', "{1: 2}", '{"a": 1,}', "[" * 100_000, '{"a":' * 100_000]
)
def test_what_is_no_json_is_damaged(text: str) -> None:
    with pytest.raises(DamagedJson):
        JsonStream(pieces(text, 1000)).value()
    with pytest.raises(DamagedJson):
        JsonStream(pieces(text, 1000)).skip()


def test_huge_numbers_are_no_work() -> None:
    text = "[" + "9" * 1_000_000 + ", 1e999999999, -0.0, NaN]"
    assert JsonStream(pieces(text, 4096)).value() == [0, float("inf"), 0.0, None]


def test_a_value_that_is_too_large_is_refused_before_all_of_it_is_held() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        yield '["'
        while True:
            taken += 1
            yield "x" * 1000

    with pytest.raises(DamagedJson):
        JsonStream(endless(), most_characters=100_000).value()
    assert taken < 1000
