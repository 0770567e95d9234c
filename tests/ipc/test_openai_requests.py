"""Bodies to requests: what is tolerated, what is refused, and by which name."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.errors import BadRequest
from ipc.inference import ChatMessage, GenerationRequest, Sampling
from ipc.openai_requests import answer_form, chat_asked, completion_asked

SECRET = "the text of a diary"
ASKED = {"model": "personal", "messages": [{"role": "user", "content": SECRET}]}


def chat(**fields: Any) -> GenerationRequest:
    (request,) = chat_asked(ASKED | fields).requests
    return request


def completion(**fields: Any) -> tuple[GenerationRequest, ...]:
    return completion_asked({"model": "base", "prompt": SECRET} | fields).requests


def test_what_is_not_said_is_the_papers() -> None:
    assert chat().sampling == Sampling(temperature=0.7, top_p=0.9)
    assert chat(temperature=None, top_p=None, seed=None, stop=None, n=None, max_tokens=None) == (
        chat()
    )


def test_unknown_fields_are_tolerated() -> None:
    assert chat(user="me", store=True, metadata={}, anything={"at": "all"}) == chat()


def test_fields_whose_value_asks_for_nothing_are_tolerated() -> None:
    harmless = {
        "logit_bias": {}, "tools": [], "functions": [], "tool_choice": "auto", "suffix": "",
        "response_format": {"type": "text"}, "parallel_tool_calls": True, "top_logprobs": 0,
    }  # fmt: skip
    assert chat(**harmless) == chat()
    assert chat(tools=[{"type": "function"}], tool_choice="none") == chat()
    assert completion(suffix="", best_of=1, echo=False, logit_bias={}) == completion()


def test_every_known_field_counts() -> None:
    sampling = chat(
        max_tokens=7, temperature=0, top_p=0.5, top_k=40, min_p=0.05, repetition_penalty=1.1,
        presence_penalty=-2, frequency_penalty=2, seed=-3, stop=["a", "b"], logprobs=True,
        top_logprobs=5,
    ).sampling  # fmt: skip
    assert sampling == Sampling(
        max_tokens=7, temperature=0.0, top_p=0.5, top_k=40, min_p=0.05, repetition_penalty=1.1,
        presence_penalty=-2.0, frequency_penalty=2.0, seed=-3, stop=("a", "b"), logprobs=5,
    )  # fmt: skip
    assert chat(stop="end").sampling.stop == ("end",)
    assert chat(max_completion_tokens=3, max_tokens=7).sampling.max_tokens == 3
    assert chat(n=8).choices == 8


def test_no_top_k_is_written_in_three_ways() -> None:
    assert {chat(top_k=k).sampling.top_k for k in (None, 0, -1)} == {None}


def test_chances_are_asked_for_in_two_ways() -> None:
    assert chat(logprobs=True).sampling.logprobs == 0
    assert chat(logprobs=False, top_logprobs=0).sampling.logprobs is None
    for asked, expected in ((None, None), (0, 0), (20, 20)):
        assert completion(logprobs=asked)[0].sampling.logprobs == expected


def test_several_prompts_are_several_requests_of_the_same_kind() -> None:
    requests = completion(prompt=["a", "b", "c"], n=2, seed=5, temperature=0.5)
    assert [request.prompt for request in requests] == ["a", "b", "c"]
    assert {request.choices for request in requests} == {2}
    assert len({request.sampling for request in requests}) == 1
    assert completion_asked({"model": "base", "prompt": ["a", "b"], "n": 3}).choices == 6


def test_an_assistant_that_said_nothing_is_read_and_names_are_not() -> None:
    turns = [
        {"role": "user", "content": "x", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": None, "refusal": None},
        {"role": "assistant"},
    ]
    assert chat(messages=turns).messages == (
        ChatMessage(role="user", content="x"),
        ChatMessage(role="assistant", content=""),
        ChatMessage(role="assistant", content=""),
    )


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
        body = {"model": "base", "prompt": prompt}
        (request,) = completion_asked(body, train_allowed=False, client="7/").requests
        assert (request.prompt, request.messages) == ("I opened ", None)
        assert (request.train_allowed, request.client) == (False, "7/")


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
    ("top_k", -2, "top_k"),
    ("top_k", 1.5, "top_k"),
    ("min_p", 1.5, "min_p"),
    ("repetition_penalty", 0, "repetition_penalty"),
    ("presence_penalty", 2.5, "presence_penalty"),
    ("frequency_penalty", -2.5, "frequency_penalty"),
    ("logprobs", 1, "logprobs"),
    ("top_logprobs", 5, "top_logprobs"),  # without `logprobs`
    ("top_logprobs", 21, "top_logprobs"),
    ("tools", [{"type": "function", "function": {"name": SECRET}}], "tools"),
    ("functions", [{"name": SECRET}], "functions"),
    ("tool_choice", "required", "tool_choice"),
    ("function_call", {"name": SECRET}, "function_call"),
    ("response_format", {"type": "json_object"}, "response_format"),
    ("response_format", SECRET, "response_format"),
    ("logit_bias", {"17": -100}, "logit_bias"),
    ("messages", [USER, {"role": "function", "content": SECRET}], "messages[1].role"),
    (
        "messages",
        [{"role": "assistant", "content": None, "tool_calls": [SECRET]}],
        "messages[0].tool_calls",
    ),
    ("seed", 2**63, "seed"),
    ("seed", "1", "seed"),
    ("n", 9, "n"),
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


NO_PROMPTS: list[Any] = [
    None, 5, [], [1, 2, 3], [[1]], ["a", 1], ["a", None], {}, "\udc00", ["a"] * 17,
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        *(({"prompt": prompt}, "prompt") for prompt in NO_PROMPTS),
        ({"prompt": ["a"] * 6, "n": 3}, "prompt"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"suffix": SECRET}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"n": 2, "best_of": 1}, "best_of"),
        ({"echo": "yes"}, "echo"),
        ({"echo": True, "logprobs": 0}, "echo"),
        ({"logit_bias": {"17": 5}}, "logit_bias"),
    ],
    ids=str,
)
def test_what_a_completion_cannot_give_is_refused_by_name(
    fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        completion(**fields)
    assert caught.value.param == param
    assert SECRET not in str(caught.value)


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
FIELDS = [
    "model", "messages", "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop",
    "n", "repetition_penalty", "logprobs", "top_logprobs", "tools", "tool_choice",
    "response_format",
]  # fmt: skip


@settings(max_examples=60)
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
