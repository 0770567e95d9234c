"""Several generations as one: their events as they come, and all of them end together."""

import asyncio
import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

from ipc.exchange import next_of
from ipc.inference import (
    Finished,
    GenerationEvent,
    GenerationRequest,
    InferenceBackend,
    Started,
    TextPiece,
)

Event = TypeVar("Event")

PROMPTS_AT_ONCE = 4  # of one request; more would fill the line of those who wait


async def together(
    generators: Sequence[AsyncGenerator[Event, None]], *, at_once: int | None = None
) -> AsyncGenerator[tuple[int, Event], None]:
    """Events with the number of the generator that they came from.

    When one fails, or whoever listens leaves, all are closed before that is passed on.

    Args:
        at_once: so many at most have begun and not ended; the first ones begin first.
    """
    coming: dict[asyncio.Task[Event], int] = {}
    waiting = deque(enumerate(generators))

    def begin_next() -> None:
        if waiting:
            number, generator = waiting.popleft()
            coming[asyncio.create_task(next_of(generator))] = number

    try:
        for _ in generators[:at_once]:
            begin_next()
        while coming:
            done, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=coming.__getitem__):
                number = coming.pop(task)
                try:
                    event = task.result()
                except StopAsyncIteration:
                    begin_next()
                    continue
                coming[asyncio.create_task(next_of(generators[number]))] = number
                yield number, event
    finally:
        for task in coming:
            task.cancel()
        if coming:
            await asyncio.wait(coming)
        for task in coming:
            if not task.cancelled():
                task.exception()  # seen: else asyncio logs it, text and all
        for generator in generators:
            await generator.aclose()


async def generations(
    backend: InferenceBackend, requests: Sequence[GenerationRequest]
) -> AsyncGenerator[GenerationEvent, None]:
    """One stream of all requests, each with a `Started` of its own; choices are counted through.

    What answers the first one answers them all, also where an adapter is swapped meanwhile.
    """
    first = backend.generate(requests[0])
    async with aclosing(first):
        pinned: str | None = None
        async for event in first:
            yield event
            if isinstance(event, Started) and len(requests) > 1:
                pinned = event.model
                break
        if pinned is None:
            return
        others = [
            backend.generate(dataclasses.replace(request, model=pinned)) for request in requests[1:]
        ]
        all_of_them = together([first, *others], at_once=PROMPTS_AT_ONCE)
        async with aclosing(all_of_them) as events:
            async for number, event in events:
                yield moved(event, number * requests[0].choices)


def moved(event: GenerationEvent, by: int) -> GenerationEvent:
    """The event with its choice's number `by` higher."""
    if isinstance(event, TextPiece | Finished):
        return dataclasses.replace(event, choice=event.choice + by)
    return event
