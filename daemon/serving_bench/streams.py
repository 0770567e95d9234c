"""A client of `api.sock` that notes when each piece of an answer comes."""

import contextlib
import http.client
import json
import socket
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ipc.answer_events import request_error
from ipc.client_calls import UnixConnection, lines, parsed

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
PATIENCE_SECONDS = 600.0  # for one piece, on a slow machine with a large base

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Heard:
    """Times of `time.monotonic`. A piece is a token, but for those that are half a character."""

    asked: float
    began: float | None = None  # the first event: admitted, and the version that answers is loaded
    model: str = ""
    pieces: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    tokens: int = 0  # as the service counts them; 0 where the answer was not heard to its end
    text: list[str] = field(default_factory=list, repr=False)

    @property
    def first_seconds(self) -> float:
        """From asking to the first piece."""
        return self.pieces[0] - self.asked

    @property
    def rate(self) -> float:
        """Tokens a second behind the first one."""
        return (self.tokens - 1) / (self.pieces[-1] - self.pieces[0])

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """(when it ended, seconds) between two pieces."""
        return [
            (after, after - before)
            for before, after in zip(self.pieces, self.pieces[1:], strict=False)
        ]


class Stream:
    """One streamed answer, heard on a thread of its own while the context is entered.

    Args:
        api: the socket.
        asked: the request's body, without what makes it a stream.
    """

    def __init__(self, api: Path, asked: Json) -> None:
        self._route = CHAT if "messages" in asked else COMPLETION
        self._body = asked | {"stream": True, "stream_options": {"include_usage": True}}
        self._connection = UnixConnection(api, timeout=PATIENCE_SECONDS)
        self._socket: socket.socket | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._error: Exception | None = None
        self._left = False
        self.heard = Heard(asked=0.0)
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hangs up, if it has not ended."""
        self._left = True
        with contextlib.suppress(OSError):  # it was not connected yet, or is no more
            if (sock := self._socket) is not None:
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread; closing would not
        self._thread.join()

    def wait_for(self, pieces: int) -> None:
        """Until so many have come. Raises what ended the answer before."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self.heard.pieces) >= pieces)
        if self._error is not None:
            raise self._error

    def to_end(self) -> Heard:
        """All of it. Raises what ended it too early."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.heard

    def _run(self) -> None:
        try:
            self._hear()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._left:
                self._error = error
        except Exception as error:
            self._error = error
        finally:
            self._connection.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hear(self) -> None:
        encoded = json.dumps(self._body).encode("ascii")
        self._connection.connect()
        self._socket = self._connection.sock
        self.heard.asked = time.monotonic()
        self._connection.request("POST", self._route, encoded, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        if response.status != http.client.OK:
            raise request_error(response.status, parsed(response.read()))
        for line in lines(response):
            event = line.removeprefix(b"data: ").strip()
            if not line.startswith(b"data: ") or event == b"[DONE]":
                continue  # an empty line, a comment, the end
            self._take(parsed(event), time.monotonic())

    def _take(self, chunk: Json, now: float) -> None:
        if "error" in chunk:
            raise request_error(http.client.OK, chunk)
        heard = self.heard
        if usage := chunk.get("usage"):
            heard.prompt_tokens = int(usage["prompt_tokens"])
            heard.tokens = int(usage["completion_tokens"])
        with self._changed:
            heard.began = heard.began or now
            heard.model = chunk.get("model", heard.model)
            for choice in chunk["choices"]:
                if said := _text(choice):
                    heard.text.append(said)
                    heard.pieces.append(now)
            self._changed.notify_all()


def _text(choice: Json) -> str:
    return str((choice["delta"].get("content") if "delta" in choice else choice["text"]) or "")


def hear(api: Path, asked: Json) -> Heard:
    """One answer, whole."""
    with Stream(api, asked) as stream:
        return stream.to_end()


def hear_together(api: Path, asked: Sequence[Json]) -> list[Heard]:
    """Several answers at once, each over its own connection."""
    streams = [Stream(api, one) for one in asked]
    for stream in streams:
        stream.__enter__()
    try:
        return [stream.to_end() for stream in streams]
    finally:
        for stream in streams:
            stream.__exit__()


# --------------------------------------------------------------------------- figures, pure


def rate_together(heard: Sequence[Heard]) -> float:
    """Tokens a second of all streams, while all of them speak."""
    start = max(one.pieces[0] for one in heard)
    end = min(one.pieces[-1] for one in heard)
    if end <= start:
        return 0.0
    return sum(start < at <= end for one in heard for at in one.pieces) / (end - start)


def longest_pause(heard: Heard, start: float, end: float) -> float:
    """Seconds of the longest gap that lay in or over [start, end], beyond the stream's own step.

    The step is the median of the gaps that ended before it.
    """
    before = [seconds for at, seconds in heard.gaps if at < start]
    during = [seconds for at, seconds in heard.gaps if at >= start and at - seconds <= end]
    if not before or not during:
        return 0.0
    return max(0.0, max(during) - statistics.median(before))
