"""The text of a message: its plain part, or its HTML as lines; attachments are not read. Pure.

Nothing that a header says about the bytes is believed if the bytes say otherwise.
"""

import binascii
import quopri
import re
from email.message import Message
from typing import TypeAlias

from daemon.collecting.decoding import decode
from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.mail_html import lines_of

MOST_DEPTH = 20
MOST_PARTS = 200
_SINGLE_BYTE = re.compile(
    r"(?i)(?:us-)?ascii|iso-?8859-?\d+|latin-?\d|(?:windows-|cp)125\d|unknown.*"
)
_WIDER = {"iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252"}
_ESCAPED = re.compile(rb"=(?:[0-9A-F]{2}|\r?\n)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\r\n\t ]*")
_BASE64_LINE = re.compile(rb"(?:[A-Za-z0-9+/]{60,80}\r?\n){2,}[A-Za-z0-9+/=\r\n]*")
_MOST_GUESSED = 1 << 20

Mail: TypeAlias = "Message[str, str]"


def text_of(message: Mail) -> str:
    """What its writer wrote, quotes and signature still in it; empty where there is no text."""
    return _text(message, depth=0, parts=[MOST_PARTS])


def parts_of(message: Mail) -> list[Mail]:
    """All parts, the message itself first, within bounds."""
    found: list[Mail] = []
    waiting = [(message, 0)]
    while waiting and len(found) < MOST_PARTS:
        part, depth = waiting.pop()
        found.append(part)
        if depth < MOST_DEPTH:
            waiting += [(one, depth + 1) for one in reversed(_inner(part))]
    return found


def _inner(part: Mail) -> list[Mail]:
    inner = part.get_payload() if part.is_multipart() else []
    return [one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else []


def _text(part: Mail, *, depth: int, parts: list[int]) -> str:
    parts[0] -= 1
    if depth > MOST_DEPTH or parts[0] < 0 or (depth and _is_attached(part)):
        return ""
    kind = part.get_content_type()
    if part.is_multipart():
        inner = _inner(part)
        if kind == "message/rfc822":
            return ""
        if kind == "multipart/alternative":
            return _best(inner, depth=depth, parts=parts)
        if kind == "multipart/related":
            inner = inner[:1]
        elif kind in ("multipart/digest", "multipart/report"):
            return ""
        texts = (_text(one, depth=depth + 1, parts=parts) for one in inner)
        return "\n\n".join(text for text in texts if text.strip())
    if kind == "text/plain" or kind.startswith("multipart/") or not part.get("Content-Type"):
        return _flowed(part, _decoded(part))
    if kind == "text/html":
        return _html(_decoded(part))
    return ""


def _best(parts_there: list[Mail], *, depth: int, parts: list[int]) -> str:
    """Of the same text in several forms: the plain one, unless it is empty."""
    plain_first = sorted(parts_there, key=lambda one: one.get_content_type() != "text/plain")
    for one in plain_first:
        text = _text(one, depth=depth + 1, parts=parts)
        if text.strip():
            return text
    return ""


def _is_attached(part: Mail) -> bool:
    try:
        if part.get_content_disposition() == "attachment":
            return True
        return part.get_filename() is not None
    except Exception:
        return True


def _html(source: str) -> str:
    try:
        return lines_of(source) if source.strip() else ""
    except Unreadable:
        return ""


# --------------------------------------------------------------------------- bytes to text


def _decoded(part: Mail) -> str:
    data = _bytes(part)
    if not data.strip():
        return ""
    charset = str(part.get_param("charset") or "us-ascii").strip("'\" ").lower()
    if b"\0" not in data:
        text = _strictly(data, "utf-8") if _SINGLE_BYTE.fullmatch(charset) else None
        text = text if text is not None else _strictly(data, _WIDER.get(charset, charset))
        if text is not None:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    guessed = decode(data)
    return "" if isinstance(guessed, SkipReason) else guessed


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError, ValueError):
        return None
    return text if isinstance(text, str) else None  # `rot13` and its like are no charsets


def _bytes(part: Mail) -> bytes:
    """The content, from the transfer encoding that it really has."""
    said = str(part.get("Content-Transfer-Encoding") or "").strip().lower()
    del part["Content-Transfer-Encoding"]  # then the library gives the bytes as they came
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    if said == "base64":
        return _from_base64(raw) if _BASE64.fullmatch(raw) else raw
    if said == "quoted-printable":
        return quopri.decodestring(raw)
    if said in ("", "7bit", "8bit", "binary"):
        if raw.isascii() and _BASE64_LINE.fullmatch(raw.strip()):
            return _from_base64(raw)
        if len(_ESCAPED.findall(raw[:_MOST_GUESSED])) > max(3, raw.count(b"=") // 2):
            return quopri.decodestring(raw)
    return raw


def _from_base64(raw: bytes) -> bytes:
    packed = b"".join(raw.split()).rstrip(b"=")
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    try:
        return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return raw


def _flowed(part: Mail, text: str) -> str:
    """Paragraphs of a `format=flowed` letter on one line each (RFC 3676)."""
    if str(part.get_param("format") or "").lower() != "flowed":
        return text
    drop = str(part.get_param("delsp") or "").lower() == "yes"
    lines: list[list[str]] = []  # in pieces
    open_depth: int | None = None  # of the line that goes on
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        words = bare[:-1] if flows and drop else bare
        if open_depth == depth and bare != "-- ":
            lines[-1].append(words)
        else:
            lines.append([">" * depth, " " * bool(depth), words])
        open_depth = depth if flows else None
    return "\n".join(map("".join, lines))
