"""A request in the engine's words, its messages in the client's; several choices as one stream."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from daemon.generation_events import as_one, body_of, event_of, parameters_of
from ipc.inference import (
    ChatMessage,
    Finished,
    GenerationEvent,
    GenerationRequest,
    Loading,
    Sampling,
    Started,
    TextPiece,
    TokenChance,
)
from ipc.link import Message
from ipc.several import together

SECRET = "the text of a diary"
Events = AsyncGenerator[GenerationEvent, None]


def told(event: str, body: bytes = b"", **facts: Any) -> GenerationEvent | None:
    message = Message(header={"id": 1, "event": event, **facts}, body=body)
    return event_of(message, model="base", choice=2)


def test_numbers_stand_in_the_header_and_text_in_the_body() -> None:
    sampling = Sampling(
        max_tokens=9, temperature=0.5, top_p=0.8, top_k=5, min_p=0.1, repetition_penalty=1.2,
        presence_penalty=0.3, frequency_penalty=0.4, seed=7, stop=(SECRET,), logprobs=2,
    )  # fmt: skip
    messages = (ChatMessage(role="user", content=SECRET),)
    request = GenerationRequest(model="base", messages=messages, sampling=sampling, choices=3)
    assert parameters_of(request, "a_1", 2) == {
        "adapter": "a_1", "max_tokens": 9, "temperature": 0.5, "top_p": 0.8, "top_k": 5,
        "min_p": 0.1, "repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.4,
        "seed": 9, "logprobs": 2,
    }  # fmt: skip
    assert json.loads(body_of(request)) == {
        "messages": [{"role": "user", "content": SECRET}], "stop": [SECRET],
    }  # fmt: skip
    asked = GenerationRequest(model="base", prompt=SECRET)
    assert json.loads(body_of(asked)) == {"prompt": SECRET, "stop": []}
    assert parameters_of(asked, None, 5)["seed"] is None


def test_each_message_becomes_what_a_client_is_told() -> None:
    chance = {"token": "b", "bytes": [98], "logprob": -0.5}
    body = json.dumps({"text": "b", "chances": [chance | {"likeliest": [chance]}]}).encode()
    known = TokenChance(token="b", bytes=(98,), logprob=-0.5)
    with_likeliest = TokenChance(token="b", bytes=(98,), logprob=-0.5, likeliest=(known,))
    for found, expected in (
        (told("loading", share=0.5), Loading(share=0.5)),
        (told("started", prompt_tokens=4, reused_tokens=0), Started(model="base", prompt_tokens=4)),
        (told("text", "🐝".encode()), TextPiece(text="🐝", choice=2)),
        (
            told("text", body, chances=True),
            TextPiece(text="b", choice=2, chances=(with_likeliest,)),
        ),
        (
            told("done", reason="length", completion_tokens=3),
            Finished(reason="length", completion_tokens=3, choice=2),
        ),
        (
            told("done", reason="cancelled", completion_tokens=3),
            Finished(reason="stop", completion_tokens=3, choice=2),
        ),
        (told("chat", share=0.1), None),
    ):
        assert found == expected


def script(choice: int, closed: list[int], *events: GenerationEvent | Exception) -> Events:
    async def play() -> Events:
        try:
            for event in events:
                await asyncio.sleep(0)
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            closed.append(choice)

    return play()


def begins(choice: int) -> tuple[GenerationEvent, ...]:
    return (
        Loading(share=0.0),
        Loading(share=0.5),
        Started(model="base", prompt_tokens=4),
        TextPiece(text="a", choice=choice),
        TextPiece(text="b", choice=choice),
    )


async def test_several_choices_load_forward_and_begin_once() -> None:
    closed: list[int] = []
    choices = [
        script(n, closed, *begins(n), Finished(reason="stop", completion_tokens=2, choice=n))
        for n in range(3)
    ]
    events = [event async for event in as_one(together(choices))]
    assert events[:3] == [*begins(0)[:3]]
    texts = [event for event in events if isinstance(event, TextPiece)]
    assert [t.choice for t in texts[:3]] == [0, 1, 2], "they come by turns"
    for n in range(3):
        assert "".join(text.text for text in texts if text.choice == n) == "ab"
    assert [e.choice for e in events if isinstance(e, Finished)] == [0, 1, 2]
    assert len(events) == 3 + 6 + 3
    assert sorted(closed) == [0, 1, 2]


async def test_only_so_many_begin_before_others_have_ended() -> None:
    closed: list[int] = []
    choices = [script(n, closed, *begins(n)) for n in range(5)]
    begun: set[int] = set()
    async for number, _ in together(choices, at_once=2):
        begun.add(number)
        assert len(begun) <= 2 + len(closed)
    assert begun == set(closed) == {0, 1, 2, 3, 4}


async def test_when_one_fails_all_are_closed() -> None:
    closed: list[int] = []
    choices = [
        script(0, closed, *begins(0) * 9),
        script(1, closed, *begins(1), RuntimeError("broken")),
    ]
    with pytest.raises(RuntimeError, match="broken"):
        _ = [event async for event in as_one(together(choices))]
    assert sorted(closed) == [0, 1]


async def test_who_leaves_closes_all_of_them() -> None:
    closed: list[int] = []
    choices = [script(n, closed, *begins(n) * 9) for n in range(3)]
    async with aclosing(as_one(together(choices))) as events:
        async for event in events:
            if isinstance(event, TextPiece):
                break
    assert sorted(closed) == [0, 1, 2]


def test_no_text_shows_in_a_repr() -> None:
    event = told("text", SECRET.encode())
    assert "diary" not in repr(event)
