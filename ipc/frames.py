"""Messages as bytes: how one message becomes frames, and frames a message again.

Pure: takes and gives bytes, knows no socket. `link.py` does the reading and writing.

    frame    u32 header length | u32 body length | header | body        (big-endian)
    header   JSON object, UTF-8, at most 64 KiB
             first frame of a message: {"id": 7, "total": 2500000, "header": {...}}
             the frames after it:      {"id": 7}
    body     at most 1 MiB; the bodies of a message's frames, joined, are its `total` bytes

Ids count up, and the frames of one message follow each other without another's between them. The
receiver trusts nothing: lengths are checked before memory is taken for them, and the buffer for a
body is allocated once, from the announced and capped total.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ipc.errors import BadFrame, FrameTooLarge

PREFIX = struct.Struct("!II")
HEADER_LIMIT_BYTES = 64 * 1024
FRAME_BODY_LIMIT_BYTES = 1024 * 1024
MESSAGE_LIMIT_BYTES = 4 * 1024**3

Body = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A small JSON header and raw bytes. A received body is a read-only memoryview or b""."""

    header: dict[str, Any]
    body: Body = field(default=b"", repr=False)


# --------------------------------------------------------------------------- writing


def frames(
    message_id: int,
    header: dict[str, Any],
    chunks: Iterable[Body],
    *,
    total: int,
    limit: int = MESSAGE_LIMIT_BYTES,
) -> Iterator[tuple[bytes, memoryview]]:
    """The frames of one message as (prefix and header, body slice) pairs; no body is copied.

    Nothing is drawn from `chunks` before the first pair is asked for.

    Raises:
        FrameTooLarge: header or total over the limit; raised before the first pair.
        ValueError: the chunks do not add up to `total`, or the header is not JSON. In the first
            case pairs were given already, so that the receiver waits for more: close the link.
    """
    if total > limit:
        raise FrameTooLarge(f"A message of {total} bytes; the link carries at most {limit}.")
    envelope = encode_header({"id": message_id, "total": total, "header": header})
    sent = 0
    for piece in pieces(chunks):
        sent += len(piece)
        if sent > total:
            raise ValueError(f"The chunks hold more than the announced {total} bytes.")
        yield PREFIX.pack(len(envelope), len(piece)) + envelope, piece
        envelope = encode_header({"id": message_id})
    if sent < total:
        raise ValueError(f"The chunks hold {sent} of the announced {total} bytes.")
    if total == 0:
        yield PREFIX.pack(len(envelope), 0) + envelope, memoryview(b"")


def pieces(chunks: Iterable[Body]) -> Iterator[memoryview]:
    """Slices of at most a frame's body, none of them empty."""
    for chunk in chunks:
        view = memoryview(chunk).cast("B")
        for start in range(0, len(view), FRAME_BODY_LIMIT_BYTES):
            yield view[start : start + FRAME_BODY_LIMIT_BYTES]


def encode_header(header: dict[str, Any]) -> bytes:
    """Compact JSON. NaN passes: a loss may be one, and whoever reads it has to judge it."""
    encoded = json.dumps(header, separators=(",", ":")).encode("ascii")
    if len(encoded) > HEADER_LIMIT_BYTES:
        raise FrameTooLarge(
            f"A header of {len(encoded)} bytes; the link carries at most {HEADER_LIMIT_BYTES}. "
            "Put what is large into the body."
        )
    return encoded


# --------------------------------------------------------------------------- reading


class Assembler:
    """Frames in, messages out, one read at a time.

    Fill `wanted()` with bytes from the socket, wholly or in part, and tell `filled` how many came.
    The slice lies in the message's final buffer, so a body is never copied.
    """

    def __init__(self, *, limit: int = MESSAGE_LIMIT_BYTES) -> None:
        self._limit = limit
        self._last_id = 0
        self._broken = False
        self._prefix = memoryview(bytearray(PREFIX.size))
        self._header: dict[str, Any] | None = None  # of the message under way
        self._start_body(0)
        self._frame_body_bytes = 0
        self._want_prefix()

    def wanted(self) -> memoryview:
        """Where the next bytes belong; never empty.

        Raises:
            BadFrame: what came before was not a frame.
        """
        if self._broken:
            raise BadFrame
        return self._target[self._filled :]

    def filled(self, count: int) -> Message | None:
        """`count` bytes were written to `wanted()`; gives the message that they complete.

        Raises:
            BadFrame: what came is not a frame; nothing that comes after it is one either.
        """
        try:
            return self._advance(count)
        except BadFrame:
            self._broken = True
            raise

    def _advance(self, count: int) -> Message | None:
        self._filled += count
        if self._filled < len(self._target):
            return None
        if self._stage == "prefix":
            self._read_prefix()
            return None
        if self._stage == "header":
            self._read_header(bytes(self._target))
            if self._frame_body_bytes:
                start = self._body_filled
                self._want("body", self._body_view[start : start + self._frame_body_bytes])
                return None
        else:
            self._body_filled += self._frame_body_bytes
        self._want_prefix()
        return self._finished() if self._body_filled == len(self._body) else None

    def _read_prefix(self) -> None:
        header_bytes, body_bytes = PREFIX.unpack(self._target)
        if not 0 < header_bytes <= HEADER_LIMIT_BYTES:
            raise BadFrame(f"A frame announced a header of {header_bytes} bytes.")
        if body_bytes > FRAME_BODY_LIMIT_BYTES:
            raise BadFrame(f"A frame announced a body of {body_bytes} bytes.")
        self._frame_body_bytes = body_bytes
        self._want("header", memoryview(bytearray(header_bytes)))

    def _read_header(self, encoded: bytes) -> None:
        envelope = decode_header(encoded)
        if self._header is None:
            self._last_id, total, self._header = opening(envelope, self._last_id, self._limit)
            self._start_body(total)
        elif envelope != {"id": self._last_id}:
            raise BadFrame("A frame does not belong to the message that is under way.")
        elif not self._frame_body_bytes:
            raise BadFrame("A frame brought nothing to the message that is under way.")
        if self._frame_body_bytes > len(self._body) - self._body_filled:
            raise BadFrame("A message is longer than it was announced to be.")

    def _finished(self) -> Message:
        assert self._header is not None
        body: Body = self._body_view.toreadonly() if self._body else b""
        message = Message(header=self._header, body=body)
        self._header = None
        self._start_body(0)
        return message

    def _start_body(self, total: int) -> None:
        try:
            self._body = bytearray(total)  # zero pages of the kernel, until they are filled
        except MemoryError:
            raise BadFrame(f"There is no memory for a message of {total} bytes.") from None
        self._body_view = memoryview(self._body)
        self._body_filled = 0

    def _want_prefix(self) -> None:
        self._want("prefix", self._prefix)

    def _want(self, stage: str, target: memoryview) -> None:
        self._stage = stage
        self._target = target
        self._filled = 0


def decode_header(encoded: bytes) -> dict[str, Any]:
    try:
        header = json.loads(encoded.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadFrame("A frame's header is not JSON.") from None
    if not isinstance(header, dict):
        raise BadFrame("A frame's header is not a JSON object.")
    return header


def opening(envelope: dict[str, Any], last_id: int, limit: int) -> tuple[int, int, dict[str, Any]]:
    """Id, total body bytes and header of a message, from the envelope of its first frame."""
    if envelope.keys() != {"id", "total", "header"}:
        raise BadFrame("A message does not begin with its id, total and header.")
    message_id, total, header = envelope["id"], envelope["total"], envelope["header"]
    if type(message_id) is not int or message_id <= last_id:
        raise BadFrame("A message's id does not follow the one before it.")
    if type(total) is not int or not 0 <= total <= limit:
        raise BadFrame(f"A message's announced length is not between 0 and {limit} bytes.")
    if not isinstance(header, dict):
        raise BadFrame("A message's header is not a JSON object.")
    return message_id, total, header
