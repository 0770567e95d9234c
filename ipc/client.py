"""The clients of both sockets, for the command line: blocking, and of the standard library only.

One connection per call, so that nothing is left open between them. Knows the routes, not what the
service does with them. Imports neither aiohttp nor asyncio: `nightloom status` has to be quick.
"""

import http.client
import json
import os
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, get_args
from urllib.parse import quote

from ipc.errors import (
    AnswerCutShort,
    EngineUnavailable,
    IpcError,
    NotRunning,
    OperationCode,
    OperationError,
    PromptTooLong,
    QueueFull,
    RequestError,
    UnknownModel,
    VaultLocked,
)
from ipc.sockets import check_path_length

Json = dict[str, Any]

# For answers that the service has at hand; operations that work take as long as they take.
QUICK_SECONDS = 60.0
READ_BYTES = 64 * 1024


class UnixConnection(http.client.HTTPConnection):
    """HTTP to the socket at `path`."""

    def __init__(self, path: Path, *, timeout: float | None) -> None:
        super().__init__("nightloom", timeout=timeout)
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        check_path_length(self._path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(self._seconds)
        try:
            sock.connect(os.fspath(self._path))
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            raise NotRunning from None
        except OSError as error:
            sock.close()
            raise IpcError(f"{self._path} cannot be opened: {error.strerror}.") from None
        self.sock = sock


@contextmanager
def exchange(
    path: Path,
    method: str,
    route: str,
    body: Json | None,
    *,
    timeout: float | None,
) -> Generator[http.client.HTTPResponse, None, None]:
    """One request and its answer, whose body is still to be read.

    Raises:
        NotRunning: nothing listens at `path`.
        AnswerCutShort: the service went away, or did not answer within `timeout` seconds.
    """
    connection = UnixConnection(path, timeout=timeout)
    encoded = None if body is None else json.dumps(body).encode("ascii")
    headers = {} if encoded is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, route, encoded, headers)
        with connection.getresponse() as response:
            yield response
    except TimeoutError:
        raise AnswerCutShort(f"nightloom did not answer within {timeout:.0f} s.") from None
    except (http.client.HTTPException, ConnectionError):
        raise AnswerCutShort from None
    finally:
        connection.close()


def lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Lines as they arrive. Raises IncompleteRead when the service goes away before the end."""
    pending = b""
    while arrived := response.read1(READ_BYTES):
        *whole, pending = (pending + arrived).split(b"\n")
        yield from whole
    if pending:
        yield pending


def parsed(encoded: bytes) -> Any:
    try:
        return json.loads(encoded)
    except ValueError:
        raise AnswerCutShort from None


class Client:
    """Of one socket. There is nothing to close between calls; `with` reads well all the same."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


# --------------------------------------------------------------------------- admin.sock


class AdminClient(Client):
    """One method per route. Each raises OperationError, NotRunning or AnswerCutShort."""

    def status(self) -> Json:
        return self._object("GET", "/status")

    def why(self) -> Json:
        return self._object("GET", "/why")

    def sources(self) -> list[Json]:
        return self._list("/sources")

    def add_source(
        self,
        path: str,
        *,
        name: str | None = None,
        kind: str = "folder",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> Json:
        """`path` is absolute: the service has a working directory of its own."""
        body = {
            "name": name,
            "kind": kind,
            "path": path,
            "include": list(include),
            "exclude": list(exclude),
        }
        return self._object("POST", "/sources", body)

    def remove_source(self, name: str) -> Json:
        return self._object("DELETE", f"/sources/{quote(name, safe='')}")

    def rescan(self) -> Json:
        """Returns when all sources have been scanned and collected."""
        return self._object("POST", "/rescan", timeout=None)

    def preview(self) -> Json:
        return self._object("GET", "/preview", timeout=None)

    def run_night(self) -> Iterator[Json]:
        """Progress as it comes, last the night's log entry.

        Leaving the iterator leaves the night running.
        """
        with exchange(self._path, "POST", "/night", None, timeout=None) as response:
            if response.status != http.client.OK:
                raise operation_error(parsed(response.read()))
            for line in lines(response):
                entry = parsed(line)
                if "error" in entry:
                    raise operation_error(entry)
                yield entry

    def stop_night(self) -> Json:
        return self._object("POST", "/night/stop")

    def nights(self, count: int | None = None) -> list[Json]:
        return self._list("/nights" if count is None else f"/nights?count={count}")

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

    def _object(
        self,
        method: str,
        route: str,
        body: Json | None = None,
        *,
        timeout: float | None = QUICK_SECONDS,
    ) -> Json:
        answer = self._call(method, route, body, timeout=timeout)
        if not isinstance(answer, dict):
            raise AnswerCutShort
        return answer

    def _list(self, route: str) -> list[Json]:
        answer = self._call("GET", route, None, timeout=QUICK_SECONDS)
        if not isinstance(answer, list):
            raise AnswerCutShort
        return answer

    def _call(self, method: str, route: str, body: Json | None, *, timeout: float | None) -> Any:
        with exchange(self._path, method, route, body, timeout=timeout) as response:
            answer = parsed(response.read())
            if response.status != http.client.OK:
                raise operation_error(answer)
            return answer


def operation_error(answer: Any) -> IpcError:
    """The error that an answer carries."""
    error = error_in(answer)
    known: dict[Any, OperationCode] = {code: code for code in get_args(OperationCode)}
    return OperationError(known.get(error.get("code"), "failed"), str(error.get("message", "")))


# --------------------------------------------------------------------------- api.sock


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
        **sampling: Any,
    ) -> Iterator[str]:
        """The answer in pieces, as they come; leaving the iterator stops the generation.

        Args:
            messages: dicts with `role` and `content`.
            sampling: `max_tokens`, `temperature`, `top_p`, `seed`, `stop`; None is the default.

        Raises:
            RequestError, NotRunning or AnswerCutShort, at the first piece or later.
        """
        return self._stream(
            "/v1/chat/completions", {"messages": list(messages), "model": model, **sampling}
        )

    def complete(self, prompt: str, model: str = "personal", **sampling: Any) -> Iterator[str]:
        """How the model goes on after `prompt`; otherwise as `chat`."""
        return self._stream("/v1/completions", {"prompt": prompt, "model": model, **sampling})

    def _stream(self, route: str, body: Json) -> Iterator[str]:
        body = body | {"stream": True}
        with exchange(self._path, "POST", route, body, timeout=None) as response:
            if response.status != http.client.OK:
                raise request_error(response.status, parsed(response.read()))
            yield from pieces(lines(response))


def pieces(events: Iterator[bytes]) -> Iterator[str]:
    """The text in the lines of an event stream."""
    for line in events:
        if not line.startswith(b"data: "):
            continue  # an empty line, or a ping
        event = line.removeprefix(b"data: ").strip()
        if event == b"[DONE]":
            return
        chunk = parsed(event)
        if "error" in chunk:
            raise request_error(http.client.OK, chunk)
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
    "queue_full": QueueFull,
    "engine_unavailable": EngineUnavailable,
    "vault_locked": VaultLocked,
}


def error_in(answer: Any) -> Json:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        raise AnswerCutShort
    return error
