"""Events of a generation as what goes over the wire: one JSON answer, or server-sent events.

Knows the order in which things are said, not how they are shaped nor how they are sent.
"""

import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from ipc.errors import EngineUnavailable
from ipc.exchange import encode
from ipc.inference import (
    Finished,
    GenerationEvent,
    Loading,
    Started,
    TextPiece,
    TokenChance,
)
from ipc.openai_format import ChatAnswers, CompletionAnswers, Counts, Stamp, WholeChoice

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"

Shapes = ChatAnswers | CompletionAnswers


async def whole_answer(
    generation: AsyncGenerator[GenerationEvent, None], shapes: Shapes, id: str, choices: int
) -> dict[str, Any]:
    """All of it.

    Raises:
        EngineUnavailable: it ended before all choices had.
    """
    texts: defaultdict[int, list[str]] = defaultdict(list)
    chances: defaultdict[int, list[TokenChance]] = defaultdict(list)
    progress = _Progress(id, choices)
    async with aclosing(generation):  # also when the client hangs up: this task is cancelled
        async for event in generation:
            progress.note(event)
            if isinstance(event, TextPiece):
                texts[event.choice].append(event.text)
                chances[event.choice] += event.chances
    stamp, counts = progress.complete()
    whole = [
        WholeChoice(
            piece=TextPiece(
                text="".join(texts[number]), choice=number, chances=tuple(chances[number])
            ),
            end=progress.ends[number],
        )
        for number in range(choices)
    ]
    return shapes.whole(stamp, whole, counts)


async def server_sent(
    events: AsyncIterator[GenerationEvent | None],
    shapes: Shapes,
    id: str,
    choices: int,
    *,
    include_usage: bool,
) -> AsyncGenerator[bytes, None]:
    """The events as they go over the wire; None is a ping. Yields something or raises."""
    progress = _Progress(id, choices)
    async for event in events:
        begins = progress.stamp is None
        progress.note(event)
        stamp = progress.stamp
        match event:
            case None:
                yield PING
            case Loading() if begins:
                yield loading(event)
            case Started() if begins and stamp is not None:
                for choice in range(choices):
                    opening = shapes.opening(stamp, choice)
                    if opening is not None:
                        yield data(opening)
            case TextPiece() if stamp is not None and (event.text or event.chances):
                yield data(shapes.piece(stamp, event))
            case Finished() if stamp is not None:
                yield data(shapes.closing(stamp, event))
    stamp, counts = progress.complete()
    if include_usage:
        yield data(shapes.counts(stamp, counts))
    yield DONE


class _Progress:
    """What is known of an answer so far."""

    def __init__(self, id: str, choices: int) -> None:
        self._id = id
        self._choices = choices
        self._prompt_tokens = 0
        self.stamp: Stamp | None = None
        self.ends: dict[int, Finished] = {}

    def note(self, event: GenerationEvent | None) -> None:
        match event:
            case Started():
                self._prompt_tokens += event.prompt_tokens
                if self.stamp is None:
                    self.stamp = Stamp(id=self._id, created=int(time.time()), model=event.model)
            case Finished():
                self.ends[event.choice] = event

    def complete(self) -> tuple[Stamp, Counts]:
        """Raises EngineUnavailable: it is not, so it is not passed off as whole."""
        if self.stamp is None or len(self.ends) < self._choices:
            raise EngineUnavailable
        completion = sum(end.completion_tokens for end in self.ends.values())
        return self.stamp, Counts(prompt=self._prompt_tokens, completion=completion)


def loading(event: Loading) -> bytes:
    """A comment, which clients that read events pass over."""
    return b": loading %d %%\n\n" % round(100 * min(max(event.share, 0.0), 1.0))


def data(answer: Any) -> bytes:
    return b"data: " + encode(answer) + b"\n\n"
