"""`api.sock`: the model, spoken to as OpenAI's API is.

The handlers and what they refuse; bodies are read in `openai_requests.py`, answers written in
`answer_writing.py`. Knows nothing of the engine or the vault; the queue is the backend's.
"""

import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ipc.answer_writing import Shapes, data, server_sent, whole_answer
from ipc.answered import ChatKeeper, feedback_of, told, train_allowed
from ipc.asking import Account, client_of, generations_told, note_model, note_tokens
from ipc.errors import (
    BadRequest,
    QueueFull,
    RequestError,
    UnknownAnswer,
    UnknownModel,
)
from ipc.exchange import EventStream, heartbeat, json_answer, json_body, log_failure
from ipc.inference import Finished, GenerationEvent, InferenceBackend, Started, TextPiece
from ipc.openai_format import (
    ChatAnswers,
    CompletionAnswers,
    error_object,
    model_list,
    model_object,
)
from ipc.openai_requests import Asked, chat_asked, completion_asked
from ipc.several import generations

BODY_LIMIT_BYTES = 4 * 1024 * 1024
PING_SECONDS = 15.0


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
        asked = await asked_by(request, chat_asked)
        return await self._generate(request, asked, ChatAnswers(chances=asked.form.chances))

    async def completions(self, request: web.Request) -> web.StreamResponse:
        asked = await asked_by(request, completion_asked)
        echoed = [
            one.prompt or ""
            for one in asked.requests
            for _ in range(one.choices)
            if asked.form.echo
        ]
        shapes = CompletionAnswers(chances=asked.form.chances, echoed=echoed)
        return await self._generate(request, asked, shapes)

    async def feedback(self, request: web.Request) -> web.Response:
        id, quality = feedback_of(await object_body(request))
        if self._keeper is None:
            raise UnknownAnswer
        kept = await self._keeper.judged(id, quality)
        note_model(request, "feedback")
        return json_answer({"id": id, "quality": quality, "kept": kept})

    async def _generate(
        self, request: web.Request, asked: Asked, shapes: Shapes
    ) -> web.StreamResponse:
        id = shapes.id_prefix + secrets.token_hex(12)
        generation = noted(generations(self._backend, asked.requests), request)
        if self._keeper is not None:
            generation = told(generation, asked.requests[0], id, self._keeper)
        if asked.form.stream:
            return await self._answer_in_pieces(request, generation, asked, shapes, id)
        return json_answer(await whole_answer(generation, shapes, id, asked.choices))

    async def _answer_in_pieces(
        self,
        request: web.Request,
        generation: AsyncGenerator[GenerationEvent, None],
        asked: Asked,
        shapes: Shapes,
        id: str,
    ) -> web.StreamResponse:
        """What fails before there is anything to send still has an HTTP status."""
        stream = EventStream(request, content_type="text/event-stream")
        usage = asked.form.include_usage
        async with (
            aclosing(heartbeat(generation, self._ping_seconds)) as events,
            aclosing(server_sent(events, shapes, id, asked.choices, include_usage=usage)) as pieces,
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
    pieces: Counter[int] = Counter()
    async with aclosing(events):
        async for event in events:
            match event:
                case Started():
                    note_model(request, event.model)
                    note_tokens(request, event.prompt_tokens)
                case TextPiece():
                    note_tokens(request, 1)
                    pieces[event.choice] += 1
                case Finished():
                    note_tokens(request, event.completion_tokens - pieces[event.choice])
            yield event


async def asked_by(request: web.Request, read: Callable[..., Asked]) -> Asked:
    """Raises BadRequest."""
    body = await object_body(request)
    return read(body, train_allowed=train_allowed(request), client=client_of(request))


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
