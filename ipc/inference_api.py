"""`api.sock`: the model, spoken to as OpenAI's API is.

Turns HTTP into `GenerationRequest`s and events into JSON or server-sent events. Knows nothing of
the engine or the vault; the queue is the backend's.
"""

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ipc.answered import ChatKeeper, feedback_of, told, train_allowed
from ipc.asking import Account, generations_told, note_model, note_tokens
from ipc.errors import (
    BadRequest,
    EngineUnavailable,
    QueueFull,
    RequestError,
    UnknownAnswer,
    UnknownModel,
)
from ipc.exchange import EventStream, encode, heartbeat, json_answer, json_body, log_failure
from ipc.inference import (
    Finished,
    GenerationEvent,
    GenerationRequest,
    InferenceBackend,
    Started,
    TextPiece,
)
from ipc.openai_format import (
    AnswerForm,
    ChatAnswers,
    CompletionAnswers,
    Stamp,
    answer_form,
    chat_request,
    completion_request,
    error_object,
    model_list,
    model_object,
)

BODY_LIMIT_BYTES = 4 * 1024 * 1024
PING_SECONDS = 15.0
PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"

Shapes = ChatAnswers | CompletionAnswers


def inference_app(
    backend: InferenceBackend,
    *,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    ping_seconds: float = PING_SECONDS,
    account: Account | None = None,
    keeper: ChatKeeper | None = None,
) -> web.Application:
    """`keeper` is told of every chat that was answered, and what the user thinks of it."""
    api = InferenceApi(backend, ping_seconds=ping_seconds, keeper=keeper)
    noting = [] if account is None else [generations_told(account)]
    app = web.Application(client_max_size=body_limit_bytes, middlewares=[*noting, answer_errors])
    app.router.add_get("/health", api.health)
    app.router.add_get("/v1/models", api.models)
    app.router.add_get("/v1/models/{model}", api.model)
    app.router.add_post("/v1/chat/completions", api.chat_completions)
    app.router.add_post("/v1/completions", api.completions)
    app.router.add_post("/v1/feedback", api.feedback)
    return app


class InferenceApi:
    """The handlers of one application."""

    def __init__(
        self, backend: InferenceBackend, *, ping_seconds: float, keeper: ChatKeeper | None
    ) -> None:
        self._backend = backend
        self._ping_seconds = ping_seconds
        self._keeper = keeper

    async def health(self, _request: web.Request) -> web.Response:
        """Says that somebody listens; asks the backend nothing, so that it wakes nothing."""
        return json_answer({"status": "ok"})

    async def models(self, _request: web.Request) -> web.Response:
        return json_answer(model_list(await self._backend.models()))

    async def model(self, request: web.Request) -> web.Response:
        for info in await self._backend.models():
            if info.id == request.match_info["model"]:
                return json_answer(model_object(info))
        raise UnknownModel

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat_request, ChatAnswers())

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, completion_request, CompletionAnswers())

    async def feedback(self, request: web.Request) -> web.Response:
        id, quality = feedback_of(await object_body(request))
        if self._keeper is None:
            raise UnknownAnswer
        kept = await self._keeper.judged(id, quality)
        note_model(request, "feedback")
        return json_answer({"id": id, "quality": quality, "kept": kept})

    async def _generate(
        self,
        request: web.Request,
        read: Callable[..., GenerationRequest],
        shapes: Shapes,
    ) -> web.StreamResponse:
        body = await object_body(request)
        form = answer_form(body)
        asked = read(body, train_allowed=train_allowed(request))
        id = shapes.id_prefix + secrets.token_hex(12)
        generation = noted(self._backend.generate(asked), request)
        if self._keeper is not None:
            generation = told(generation, asked, id, self._keeper)
        if form.stream:
            return await self._answer_in_pieces(request, generation, shapes, form, id)
        return await self._answer_whole(generation, shapes, id)

    async def _answer_whole(
        self, generation: AsyncGenerator[GenerationEvent, None], shapes: Shapes, id: str
    ) -> web.Response:
        texts: list[str] = []
        stamp: Stamp | None = None
        end: Finished | None = None
        async with aclosing(generation):  # also when the client hangs up: this task is cancelled
            async for event in generation:
                match event:
                    case Started():
                        stamp = stamp_of(event, id)
                    case TextPiece():
                        texts.append(event.text)
                    case Finished():
                        end = event
        if stamp is None or end is None:
            raise EngineUnavailable
        return json_answer(shapes.whole(stamp, "".join(texts), end))

    async def _answer_in_pieces(
        self,
        request: web.Request,
        generation: AsyncGenerator[GenerationEvent, None],
        shapes: Shapes,
        form: AnswerForm,
        id: str,
    ) -> web.StreamResponse:
        """What fails before there is anything to send still has an HTTP status."""
        stream = EventStream(request, content_type="text/event-stream")
        async with (
            aclosing(heartbeat(generation, self._ping_seconds)) as events,
            aclosing(server_sent(events, shapes, form, id)) as pieces,
        ):
            first = await anext(pieces)
            try:
                await stream.open()
                await stream.write(first)
                try:
                    async for piece in pieces:
                        await stream.write(piece)
                except ConnectionError:
                    raise
                except Exception as error:
                    await stream.write(data(error_object(as_request_error(error))))
            except ConnectionError:
                pass  # the client is gone, and with it whom to tell
        return stream.response


async def noted(
    events: AsyncGenerator[GenerationEvent, None], request: web.Request
) -> AsyncGenerator[GenerationEvent, None]:
    """The same events; the request is told what they cost. A piece counts as a token, until the
    end says how many there were.
    """
    pieces = 0
    async with aclosing(events):
        async for event in events:
            match event:
                case Started():
                    note_model(request, event.model)
                    note_tokens(request, event.prompt_tokens)
                case TextPiece():
                    note_tokens(request, 1)
                    pieces += 1
                case Finished():
                    note_tokens(request, event.completion_tokens - pieces)
            yield event


async def server_sent(
    events: AsyncIterator[GenerationEvent | None], shapes: Shapes, form: AnswerForm, id: str
) -> AsyncGenerator[bytes, None]:
    """The events as they go over the wire; None is a ping. Yields something or raises."""
    stamp: Stamp | None = None
    end: Finished | None = None
    async for event in events:
        match event:
            case None:
                yield PING
            case Started():
                stamp = stamp_of(event, id)
                opening = shapes.opening(stamp)
                if opening is not None:
                    yield data(opening)
            case TextPiece() if stamp is not None:
                if event.text:
                    yield data(shapes.piece(stamp, event.text))
            case Finished():
                end = event
    if stamp is None or end is None:
        raise EngineUnavailable
    yield data(shapes.closing(stamp, end))
    if form.include_usage:
        yield data(shapes.counts(stamp, end))
    yield DONE


def stamp_of(started: Started, id: str) -> Stamp:
    return Stamp(
        id=id,
        created=int(time.time()),
        model=started.model,
        prompt_tokens=started.prompt_tokens,
    )


def data(answer: Any) -> bytes:
    return b"data: " + encode(answer) + b"\n\n"


async def object_body(request: web.Request) -> dict[str, Any]:
    try:
        body = await json_body(request)
    except ValueError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


# --------------------------------------------------------------------------- errors


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:
        refusal = as_request_error(error)
        headers: dict[str, str] = {}
        if isinstance(refusal, QueueFull):
            headers["Retry-After"] = str(refusal.retry_after)
        if isinstance(error, web.HTTPMethodNotAllowed):
            headers["Allow"] = error.headers["Allow"]
        return json_answer(error_object(refusal), status=refusal.status, headers=headers)


def as_request_error(error: Exception) -> RequestError:
    """What the client is told. Of an unforeseen failure it learns only that there was one."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, web.HTTPException):
        sentence, code = HTTP_REFUSALS.get(error.status, (error.reason, None))
        return BadRequest(sentence, status=error.status, code=code)
    log_failure("a request", error)
    return RequestError(
        "nightloom failed at this request; its log says where.",
        status=500,
        type="server_error",
        code="internal_error",
    )


HTTP_REFUSALS: dict[int, tuple[str, str]] = {
    404: ("There is no such route here; ipc/README.md lists them.", "unknown_route"),
    405: ("This route does not take that method.", "method_not_allowed"),
    408: ("The body of the request did not arrive in time.", "request_timeout"),
    413: ("The body of the request is too large.", "body_too_large"),
}
