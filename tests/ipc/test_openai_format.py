"""Bodies to requests: what is tolerated, what is refused, and by which name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.errors import BadRequest
from ipc.inference import ChatMessage, Sampling
from ipc.openai_format import answer_form, chat_request, completion_request

SECRET = "the text of a diary"
ASKED = {"model": "personal", "messages": [{"role": "user", "content": SECRET}]}


def chat(**fields: Any) -> Any:
    return chat_request(ASKED | fields, train_allowed=True)


def test_what_is_not_said_is_the_papers() -> None:
    assert chat().sampling == Sampling(temperature=0.7, top_p=0.9)
    assert chat(temperature=None, top_p=None, seed=None, stop=None, n=None, max_tokens=None) == (
        chat()
    )


def test_unknown_fields_are_tolerated() -> None:
    assert chat(logit_bias={}, user="me", tools=[], store=True, anything={"at": "all"}) == chat()


def test_every_known_field_counts() -> None:
    sampling = chat(max_tokens=7, temperature=0, top_p=0.5, seed=-3, stop=["a", "b"]).sampling
    assert sampling == Sampling(max_tokens=7, temperature=0.0, top_p=0.5, seed=-3, stop=("a", "b"))
    assert chat(stop="end").sampling.stop == ("end",)
    assert chat(max_completion_tokens=3, max_tokens=7).sampling.max_tokens == 3


def test_a_top_p_of_zero_is_greedy() -> None:
    sampling = chat(top_p=0, temperature=1.5).sampling
    assert (sampling.temperature, sampling.top_p) == (0.0, 1.0)


def test_content_may_come_in_text_parts() -> None:
    parts = [{"type": "text", "text": "How are "}, {"type": "text", "text": "the bees?"}]
    request = chat(
        messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]
    )
    assert request.messages == (
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="user", content="How are the bees?"),
    )


def test_a_prompt_may_come_as_a_list_of_one() -> None:
    for prompt in ("I opened ", ["I opened "]):
        request = completion_request({"model": "base", "prompt": prompt}, train_allowed=False)
        assert (request.prompt, request.messages, request.train_allowed) == (
            "I opened ",
            None,
            False,
        )


USER = {"role": "user", "content": "x"}
WRONG: list[tuple[str, Any, str]] = [
    ("model", None, "model"),
    ("model", "", "model"),
    ("model", 1, "model"),
    ("messages", None, "messages"),
    ("messages", [], "messages"),
    ("messages", SECRET, "messages"),
    ("messages", [SECRET], "messages[0]"),
    ("messages", [USER, {"content": SECRET}], "messages[1].role"),
    ("messages", [{"role": "tool", "content": SECRET}], "messages[0].role"),
    ("messages", [{"role": ["user"], "content": SECRET}], "messages[0].role"),
    ("messages", [{"role": "user"}], "messages[0].content"),
    ("messages", [{"role": "user", "content": None}], "messages[0].content"),
    ("messages", [{"role": "user", "content": 5}], "messages[0].content"),
    ("messages", [{"role": "user", "content": [SECRET]}], "messages[0].content[0]"),
    (
        "messages",
        [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
        "messages[0].content[0]",
    ),
    (
        "messages",
        [{"role": "user", "content": [{"type": "text", "text": 1}]}],
        "messages[0].content[0].text",
    ),
    ("messages", [{"role": "user", "content": "\ud83d"}], "messages[0].content"),
    ("max_tokens", 0, "max_tokens"),
    ("max_tokens", True, "max_tokens"),
    ("max_tokens", 1.5, "max_tokens"),
    ("max_completion_tokens", "7", "max_completion_tokens"),
    ("temperature", -0.1, "temperature"),
    ("temperature", 2.1, "temperature"),
    ("temperature", False, "temperature"),
    ("temperature", float("nan"), "temperature"),
    ("temperature", 10**400, "temperature"),
    ("top_p", 1.1, "top_p"),
    ("top_p", "0.9", "top_p"),
    ("seed", 2**63, "seed"),
    ("seed", "1", "seed"),
    ("n", 2, "n"),
    ("n", 0, "n"),
    ("n", "1", "n"),
    ("stop", 5, "stop"),
    ("stop", [""], "stop"),
    ("stop", "", "stop"),
    ("stop", [SECRET, 1], "stop"),
    ("stop", ["a"] * 5, "stop"),
]


@pytest.mark.parametrize(("field", "value", "param"), WRONG, ids=lambda value: str(value)[:20])
def test_a_wrong_field_is_refused_by_name_and_without_its_text(
    field: str, value: Any, param: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        chat(**{field: value})
    assert (caught.value.status, caught.value.param) == (400, param)
    assert param in caught.value.message
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("prompt", [None, 5, [], ["a", "b"], [1, 2, 3], [[1]], {}, "\udc00"])
def test_a_prompt_that_is_not_one_string_is_refused(prompt: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        completion_request({"model": "base", "prompt": prompt}, train_allowed=True)
    assert caught.value.param == "prompt"


def test_how_to_answer_is_checked_too() -> None:
    assert not answer_form({}).stream
    form = answer_form({"stream": True, "stream_options": {"include_usage": True}})
    assert (form.stream, form.include_usage) == (True, True)
    for body, param in (
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ):
        with pytest.raises(BadRequest) as caught:
            answer_form(body)
        assert caught.value.param == param


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
FIELDS = ["model", "messages", "max_tokens", "temperature", "top_p", "seed", "stop", "n"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_any_json_is_understood_or_refused(fields: dict[str, Any]) -> None:
    try:
        request = chat(**fields)
    except BadRequest:
        return  # anything else fails the test
    assert request.messages
    json.dumps(request.sampling.temperature, allow_nan=False)


def test_private_text_does_not_show_in_a_repr() -> None:
    assert SECRET not in repr(chat(stop=SECRET))
