"""Blocking HTTP to one of our sockets, for the clients: of the standard library only.

One connection per call, so that nothing is left open between them. Knows no routes. Imports
neither aiohttp nor asyncio: `nightloom status` has to be quick.
"""

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, get_args

from ipc.errors import AnswerCutShort, IpcError, NotRunning, OperationCode, OperationError
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
        self._hung_up = False

    def hang_up(self) -> None:
        """From any thread: whoever waits for an answer here finds it cut short, also later."""
        self._hung_up = True
        if (sock := self.sock) is not None:
            with contextlib.suppress(OSError):  # it is closed, or the other end is
                sock.shutdown(socket.SHUT_RDWR)

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
        if self._hung_up:
            raise ConnectionAbortedError


@contextlib.contextmanager
def exchange(
    path: Path,
    method: str,
    route: str,
    body: Json | None,
    *,
    timeout: float | None,
    headers: Mapping[str, str] | None = None,
    connection: UnixConnection | None = None,
) -> Generator[http.client.HTTPResponse, None, None]:
    """One request and its answer, whose body is still to be read; over `connection`, if given.

    Raises:
        NotRunning: nothing listens at `path`.
        AnswerCutShort: the service went away, or did not answer within `timeout` seconds.
    """
    connection = connection or UnixConnection(path, timeout=timeout)
    encoded = None if body is None else json.dumps(body).encode("ascii")
    kind = {} if encoded is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, route, encoded, {**kind, **(headers or {})})
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


class AdminCalls(Client):
    """Calls of `admin.sock`. Each raises OperationError, NotRunning or AnswerCutShort."""

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

    def _lines(self, method: str, route: str, body: Json | None = None) -> Iterator[Json]:
        """One JSON object a line, as they come; leaving the iterator hangs up."""
        with exchange(self._path, method, route, body, timeout=None) as response:
            if response.status != http.client.OK:
                raise operation_error(parsed(response.read()))
            for line in lines(response):
                entry = parsed(line)
                if "error" in entry:
                    raise operation_error(entry)
                yield entry


def operation_error(answer: Any) -> IpcError:
    """The error that an answer carries."""
    error = error_in(answer)
    known: dict[Any, OperationCode] = {code: code for code in get_args(OperationCode)}
    return OperationError(known.get(error.get("code"), "failed"), str(error.get("message", "")))


def error_in(answer: Any) -> Json:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        raise AnswerCutShort
    return error
