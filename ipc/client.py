"""The clients of both sockets, for the command line: blocking, and of the standard library only.

One connection per call, so that nothing is left open between them. Knows the routes, not what the
service does with them. Imports neither aiohttp nor asyncio: `nightloom status` has to be quick.
"""

import http.client
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from ipc.backup_client import BackupClient
from ipc.client_calls import QUICK_SECONDS, Client, Json, error_in, exchange, lines, parsed
from ipc.collecting_client import CollectingClient
from ipc.errors import (
    AdapterWithdrawn,
    AnswerCutShort,
    EngineUnavailable,
    IpcError,
    PromptTooLong,
    QueueFull,
    RequestError,
    UnknownAnswer,
    UnknownModel,
    VaultLocked,
)
from ipc.forgetting_client import ForgettingClient
from ipc.keys_client import KeysClient
from ipc.limits_client import LimitsClient
from ipc.seeing_client import SeeingClient

# --------------------------------------------------------------------------- admin.sock


class AdminClient(
    KeysClient, ForgettingClient, SeeingClient, LimitsClient, CollectingClient, BackupClient
):
    """One method per route. Each raises OperationError, NotRunning or AnswerCutShort."""

    def status(self) -> Json:
        return self._object("GET", "/status")

    def why(self) -> Json:
        return self._object("GET", "/why")

    def sources(self) -> list[Json]:
        return self._list("/sources")

    def add_source(
        self,
        path: str | None = None,
        *,
        name: str | None = None,
        kind: str = "folder",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        me: Sequence[str] = (),
        own: bool = True,
        keep_deleted: bool = True,
    ) -> Json:
        """`path` is absolute: the service has a working directory of its own. Kinds that lie at no
        place have none.

        `me` are the user's own addresses or names there, `own` whether it is mostly the user's own
        writing, `keep_deleted` whether text stays when its file goes. Returns when exports there
        were looked through for who speaks in them, however long that takes.
        """
        body = {
            "name": name,
            "kind": kind,
            "path": path,
            "include": list(include),
            "exclude": list(exclude),
            "me": list(me),
            "own": own,
            "keep_deleted": keep_deleted,
        }
        return self._object("POST", "/sources", body, timeout=None)

    def remove_source(self, name: str) -> Json:
        return self._object("DELETE", f"/sources/{quote(name, safe='')}")

    def rescan(self) -> Json:
        """Returns when all sources have been scanned and collected."""
        return self._object("POST", "/rescan", timeout=None)

    def preview(self) -> Json:
        return self._object("GET", "/preview", timeout=None)

    def run_night(self, *, on_battery: bool = False) -> Iterator[Json]:
        """Progress as it comes, last the night's log entry.

        Leaving the iterator leaves the night running.
        """
        return self._lines("POST", "/night", {"on_battery": on_battery})

    def stop_night(self) -> Json:
        return self._object("POST", "/night/stop")

    def pause_nights(self, seconds: float | None = None) -> Json:
        """Returns when the night that runs has saved its checkpoint."""
        return self._object("POST", "/night/pause", {"seconds": seconds}, timeout=None)

    def resume_nights(self) -> Json:
        return self._object("POST", "/night/resume")

    def nights(self, count: int | None = None) -> list[Json]:
        return self._list("/nights" if count is None else f"/nights?count={count}")

    def night_passages(self, night: int | None = None) -> Iterator[Json]:
        """As they come; the engine may have to start for them."""
        return self._lines("GET", "/night/passages" + ("" if night is None else f"?night={night}"))

    def adapters(self) -> list[Json]:
        return self._list("/adapters")

    def use_adapter(self, adapter: str) -> Json:
        return self._object("POST", "/adapters/use", {"adapter": adapter}, timeout=None)

    def rollback(self) -> Json:
        return self._object("POST", "/adapters/rollback", timeout=None)

    def bases(self) -> list[Json]:
        return self._list("/bases")

    def shut_down(self) -> Json:
        return self._object("POST", "/shutdown")


# --------------------------------------------------------------------------- api.sock


NO_TRAIN = {"X-No-Train": "1"}


class InferenceClient(Client):
    """What `nightloom chat` and `nightloom demo` need of the model."""

    def models(self) -> list[Json]:
        """Raises RequestError, NotRunning or AnswerCutShort."""
        with exchange(self._path, "GET", "/v1/models", None, timeout=QUICK_SECONDS) as response:
            answer = parsed(response.read())
            if response.status != http.client.OK:
                raise request_error(response.status, answer)
            return list(answer["data"])

    def chat(
        self,
        messages: Sequence[Json],
        model: str = "personal",
        *,
        train: bool = True,
        begun: Callable[[str], None] | None = None,
        **sampling: Any,
    ) -> Iterator[str]:
        """The answer in pieces, as they come; leaving the iterator stops the generation.

        Args:
            messages: dicts with `role` and `content`.
            train: False keeps this exchange from being collected.
            begun: is told the answer's id, for `feedback`.
            sampling: `max_tokens`, `temperature`, `top_p`, `seed`, `stop`; None is the default.

        Raises:
            RequestError, NotRunning or AnswerCutShort, at the first piece or later.
        """
        body = {"messages": list(messages), "model": model, **sampling}
        return self._stream("/v1/chat/completions", body, train=train, begun=begun)

    def feedback(self, id: str, *, good: bool) -> bool:
        """Say what an answer was worth; whether what was said with it is kept now.

        Raises:
            RequestError, NotRunning or AnswerCutShort
        """
        body = {"id": id, "quality": "good" if good else "bad"}
        route = "/v1/feedback"
        with exchange(self._path, "POST", route, body, timeout=QUICK_SECONDS) as response:
            answer = parsed(response.read())
            if response.status != http.client.OK:
                raise request_error(response.status, answer)
            return bool(answer["kept"])

    def complete(self, prompt: str, model: str = "personal", **sampling: Any) -> Iterator[str]:
        """How the model goes on after `prompt`; otherwise as `chat`."""
        return self._stream("/v1/completions", {"prompt": prompt, "model": model, **sampling})

    def _stream(
        self,
        route: str,
        body: Json,
        *,
        train: bool = True,
        begun: Callable[[str], None] | None = None,
    ) -> Iterator[str]:
        body = body | {"stream": True}
        headers = None if train else NO_TRAIN
        with exchange(self._path, "POST", route, body, timeout=None, headers=headers) as response:
            if response.status != http.client.OK:
                raise request_error(response.status, parsed(response.read()))
            yield from pieces(lines(response), begun)


def pieces(events: Iterator[bytes], begun: Callable[[str], None] | None = None) -> Iterator[str]:
    """The text in the lines of an event stream; `begun` is told the answer's id, once."""
    for line in events:
        if not line.startswith(b"data: "):
            continue  # an empty line, or a ping
        event = line.removeprefix(b"data: ").strip()
        if event == b"[DONE]":
            return
        chunk = parsed(event)
        if "error" in chunk:
            raise request_error(http.client.OK, chunk)
        if begun is not None and isinstance(chunk.get("id"), str):
            begun(chunk["id"])
            begun = None
        for choice in chunk["choices"]:
            if text := choice["delta"].get("content") if "delta" in choice else choice["text"]:
                yield text
    raise AnswerCutShort


def request_error(status: int, answer: Any) -> IpcError:
    """The error that an answer, or an event in the middle of one, carries."""
    error = error_in(answer)
    message = str(error.get("message", ""))
    code = error.get("code")
    if code in REQUEST_ERRORS:
        return REQUEST_ERRORS[code](message)
    return RequestError(
        message,
        status=status,
        type=str(error.get("type", "server_error")),
        code=code,
        param=error.get("param"),
    )


REQUEST_ERRORS: dict[Any, Callable[[str], RequestError]] = {
    "context_length_exceeded": PromptTooLong,
    "model_not_found": UnknownModel,
    "answer_not_found": UnknownAnswer,
    "queue_full": QueueFull,
    "engine_unavailable": EngineUnavailable,
    "adapter_withdrawn": AdapterWithdrawn,
    "vault_locked": VaultLocked,
}
