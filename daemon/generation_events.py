"""A client's request in the engine's words, and the engine's messages in the client's. Pure.

The engine knows one answer at a time: a request for several choices is as many requests to it,
alike but for the seed, and their messages are one stream again.
"""

import dataclasses
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from daemon.engine_process import body_json
from ipc.inference import (
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

# All that the engine is told by name; a stop string is private and stands in the body.
SETTINGS = tuple(one.name for one in dataclasses.fields(Sampling) if one.name != "stop")


def parameters_of(request: GenerationRequest, adapter: str | None, choice: int) -> dict[str, Any]:
    """What of the request is numbers. Each choice has a seed of its own, if there is one.

    Args:
        adapter: its name in the engine.
    """
    parameters = {name: getattr(request.sampling, name) for name in SETTINGS}
    if request.sampling.seed is not None:
        parameters["seed"] = request.sampling.seed + choice
    return parameters | {"adapter": adapter}


def body_of(request: GenerationRequest) -> bytes:
    """What of it is text."""
    private: dict[str, Any] = {"stop": list(request.sampling.stop)}
    if request.messages is not None:
        private["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
    else:
        private["prompt"] = request.prompt
    return body_json(private)


def event_of(message: Message, *, model: str, choice: int = 0) -> GenerationEvent | None:
    """None for a message that tells a client nothing.

    Args:
        model: the pinned version, as the client is told it.
    """
    header = message.header
    match header["event"]:
        case "loading":
            return Loading(share=float(header["share"]))
        case "started":
            return Started(model=model, prompt_tokens=int(header["prompt_tokens"]))
        case "text" if header.get("chances"):
            told = json.loads(bytes(message.body))
            chances = tuple(_chance(one) for one in told["chances"])
            return TextPiece(text=str(told["text"]), choice=choice, chances=chances)
        case "text":
            return TextPiece(text=bytes(message.body).decode(), choice=choice)
        case "done":
            return Finished(
                reason="length" if header["reason"] == "length" else "stop",
                completion_tokens=int(header["completion_tokens"]),
                choice=choice,
            )
    return None


def _chance(told: dict[str, Any]) -> TokenChance:
    return TokenChance(
        token=str(told["token"]),
        bytes=tuple(told["bytes"]),
        logprob=float(told["logprob"]),
        likeliest=tuple(_chance(other) for other in told.get("likeliest", ())),
    )


async def as_one(
    events: AsyncGenerator[tuple[int, GenerationEvent], None],
) -> AsyncGenerator[GenerationEvent, None]:
    """All choices' events as those of one generation: it loads forward, and begins once."""
    share, begun = -1.0, False
    async with aclosing(events):
        async for _, event in events:
            match event:
                case Loading():
                    if begun or event.share <= share:
                        continue
                    share = event.share
                case Started():
                    if begun:
                        continue
                    begun = True
            yield event
