"""Chats that were answered, told to whoever may keep them, and what the user thinks of them.

The seam to `daemon`: plain values and a protocol. Nothing here waits for the keeper, and a keeper
that fails costs no answer. Knows nothing of the vault.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from aiohttp import web

from ipc.errors import BadRequest
from ipc.exchange import log_failure
from ipc.inference import ChatMessage, Finished, GenerationEvent, GenerationRequest, TextPiece

ID_LIMIT = 200  # characters of an answer's id
OFF = ("", "0", "false")

Quality = Literal["good", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredChat:
    """What a client sent, as it sent it, and the whole answer."""

    id: str  # of the answer, as the client was told it
    messages: tuple[ChatMessage, ...] = field(repr=False)
    answer: str = field(repr=False)


class ChatKeeper(Protocol):
    """Implemented in `daemon`. Neither `answered` nor `kept_out` may wait or raise."""

    def answered(self, chat: AnsweredChat) -> None:
        """A chat was answered to its end, and the client said nothing against keeping it."""
        ...

    def kept_out(self, id: str) -> None:
        """One was answered that is to be kept out (`X-No-Train`); of it only this id is told."""
        ...

    async def judged(self, id: str, quality: Quality) -> bool:
        """Whether what was said with this answer is kept now.

        Raises:
            UnknownAnswer: no answer with this id is remembered.
            VaultLocked, QueueFull
        """
        ...


def train_allowed(request: web.Request) -> bool:
    """Anything in `X-No-Train` but 0 and false keeps the exchange out; in doubt, it was meant."""
    given = request.headers.getall("X-No-Train", [])
    return all(each.strip().casefold() in OFF for each in given)


async def told(
    events: AsyncGenerator[GenerationEvent, None],
    asked: GenerationRequest,
    id: str,
    keeper: ChatKeeper,
) -> AsyncGenerator[GenerationEvent, None]:
    """The same events; after the last one, which is passed on first, the keeper is told.

    Of several choices it is told the first; another one that the chat goes on with comes back with
    the next request.
    """
    pieces: list[str] = []
    ended = False
    async with aclosing(events):
        async for event in events:
            match event:
                case TextPiece(choice=0) if asked.train_allowed:
                    pieces.append(event.text)
                case Finished(choice=0):
                    ended = True
            yield event
    if not ended or asked.messages is None:
        return
    try:
        if asked.train_allowed:
            answer = "".join(pieces)
            keeper.answered(AnsweredChat(id=id, messages=asked.messages, answer=answer))
        else:
            keeper.kept_out(id)
    except Exception as error:
        log_failure("keeping a chat", error)


def feedback_of(body: dict[str, Any]) -> tuple[str, Quality]:
    """Raises BadRequest."""
    id, quality = body.get("id"), body.get("quality")
    if not isinstance(id, str) or not 0 < len(id) <= ID_LIMIT:
        raise BadRequest("`id` must be the id of an answer.", param="id")
    for known in get_args(Quality):
        if quality == known:
            return id, known
    raise BadRequest("`quality` must be `good` or `bad`.", param="quality")
