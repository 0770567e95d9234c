"""A request for an answer, and the answer as it comes, over a connection that can be hung up.

Knows nothing of what is asked; blocking, and of the standard library only.
"""

import contextlib
import http.client
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Self

from ipc.answer_events import AnswerEvent, answer_events, request_error
from ipc.client_calls import Json, UnixConnection, exchange, lines, parsed
from ipc.errors import AnswerCutShort

NO_TRAIN = {"X-No-Train": "1"}


class AnswerStream(Iterator[AnswerEvent]):
    """Nothing is sent before the first event is asked for; closing it stops the generation.

    Events raise RequestError, NotRunning or AnswerCutShort. One thread reads them; `close` is for
    any thread, also while that one waits for an event: the wait ends, and so do the events.
    """

    def __init__(self, path: Path, route: str, body: Json, *, train: bool = True) -> None:
        self._path = path
        self._route = route
        self._body = body
        self._headers = {} if train else NO_TRAIN
        self._connection = UnixConnection(path, timeout=None)
        self._closed = False
        self._events = self._read()

    def __next__(self) -> AnswerEvent:
        try:
            return next(self._events)
        except AnswerCutShort:
            if self._closed:
                raise StopIteration from None
            raise

    def close(self) -> None:
        """Hang up; whatever has not come by now never comes."""
        self._closed = True
        self._connection.hang_up()
        with contextlib.suppress(ValueError):  # it runs, on another thread, and ends there
            self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> Generator[AnswerEvent, None, None]:
        with exchange(
            self._path,
            "POST",
            self._route,
            self._body,
            timeout=None,
            headers=self._headers,
            connection=self._connection,
        ) as response:
            if response.status != http.client.OK:
                wait = response.headers.get("Retry-After")
                raise request_error(response.status, parsed(response.read()), retry_after=wait)
            yield from answer_events(lines(response))
