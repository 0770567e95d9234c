"""What the worker answers, as messages of `ipc.frames`; and what of it the service believes.

    {"document": {"suffix", "modified_at", "about", "text_bytes", "speakers"}}
                      body: the text in UTF-8, then 11 bytes per turn
    {"failed": reason}
    {"end": number of documents}

A turn is u8 own | u16 number of its speaker | u32 start | u32 end, big-endian, in characters. What
is not exactly so raises `Lie`. Pure.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted
from daemon.extracting.limits import Limits
from ipc.frames import Message
from storage.records import SpokenTurn

TURN = struct.Struct("!?HII")
SUFFIX_CHARS = 1_000
# Together they fit into a header of 64 KiB, in JSON that escapes every character.
ABOUT_ENTRIES, ABOUT_KEY_CHARS, ABOUT_VALUE_CHARS = 16, 64, 300
SPEAKERS = 2_000
SPEAKER = re.compile(r"me|assistant|[A-Z]{1,4}")
LATEST = 253_402_300_800.0  # the year 10000

REASONS = frozenset(
    {
        SkipReason.EMPTY, SkipReason.BINARY, SkipReason.MARKED, SkipReason.TOO_LARGE,
        SkipReason.ENCRYPTED, SkipReason.NO_TEXT, SkipReason.DAMAGED, SkipReason.BOMB,
        SkipReason.TOO_HUNGRY, SkipReason.UNKNOWN_FORMAT, SkipReason.NOT_NAMED,
    }
)  # fmt: skip


class Lie(Exception):  # noqa: N818 - says what happened
    """The worker answered what no honest worker answers."""


def most_bytes_of(limits: Limits) -> int:
    """The largest body of an honest message."""
    return limits.document_bytes + limits.turns * TURN.size


# --------------------------------------------------------------------------- in the worker


def packed(document: Extracted, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """Header and body. What is known about a document is cut to what fits.

    Raises:
        Unreadable: the document is larger than one may be.
    """
    text = document.text.encode("utf-8", "replace")  # a lone surrogate becomes a question mark
    if len(text) > limits.document_bytes or len(document.turns) > limits.turns:
        raise Unreadable(SkipReason.TOO_LARGE)
    speakers = {turn.speaker: 0 for turn in document.turns}
    speakers = {speaker: number for number, speaker in enumerate(speakers)}
    if len(speakers) > SPEAKERS:
        raise Unreadable(SkipReason.TOO_LARGE)
    turns = b"".join(
        TURN.pack(turn.own, speakers[turn.speaker], turn.start, turn.end) for turn in document.turns
    )
    about = {
        key[:ABOUT_KEY_CHARS]: value[:ABOUT_VALUE_CHARS]
        for key, value in list(document.about.items())[:ABOUT_ENTRIES]
    }
    told = {
        "suffix": document.path_suffix,
        "modified_at": document.modified_at,
        "about": about,
        "text_bytes": len(text),
        "speakers": list(speakers),
    }
    return {"document": told}, text + turns


# --------------------------------------------------------------------------- in the service


def unpacked(message: Message, limits: Limits) -> Extracted | SkipReason | None:
    """A document, why there are no more, or None at the good end. Raises Lie."""
    header = message.header
    if header.keys() == {"document"} and isinstance(header["document"], dict):
        return _document(header["document"], memoryview(message.body), limits)
    if len(message.body):
        raise Lie
    if header.keys() == {"failed"} and header["failed"] in tuple(REASONS):  # it may be any value
        return SkipReason(header["failed"])
    if header.keys() == {"end"}:
        return None
    raise Lie


def _document(told: dict[str, Any], body: memoryview, limits: Limits) -> Extracted:
    if told.keys() != {"suffix", "modified_at", "about", "text_bytes", "speakers"}:
        raise Lie
    text_bytes = told["text_bytes"]
    if type(text_bytes) is not int or not 0 <= text_bytes <= min(limits.document_bytes, len(body)):
        raise Lie
    try:
        text = str(body[:text_bytes], "utf-8")
    except UnicodeDecodeError:
        raise Lie from None
    return Extracted(
        path_suffix=_words(told["suffix"], SUFFIX_CHARS),
        text=text,
        turns=_turns(body[text_bytes:], _speakers(told["speakers"]), len(text), limits),
        modified_at=_time(told["modified_at"]),
        about=_about(told["about"]),
    )


def _words(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise Lie
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _time(value: Any) -> float | None:
    """None also where no calendar has it, as in exports with impossible dates."""
    if value is None:
        return None
    if type(value) not in (int, float):
        raise Lie
    return float(value) if 0 <= value < LATEST else None


def _about(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or len(value) > ABOUT_ENTRIES:
        raise Lie
    return {
        _words(key, ABOUT_KEY_CHARS): _words(said, ABOUT_VALUE_CHARS) for key, said in value.items()
    }


def _speakers(value: Any) -> Sequence[str]:
    if not isinstance(value, list) or len(value) > SPEAKERS:
        raise Lie
    if not all(isinstance(one, str) and SPEAKER.fullmatch(one) for one in value):
        raise Lie
    return value


def _turns(
    data: memoryview, speakers: Sequence[str], length: int, limits: Limits
) -> tuple[SpokenTurn, ...]:
    if len(data) % TURN.size or len(data) > limits.turns * TURN.size:
        raise Lie
    turns, at = [], 0
    for own, number, start, end in TURN.iter_unpack(data):
        if not at <= start < end <= length or number >= len(speakers):
            raise Lie
        turns.append(SpokenTurn(own=own, speaker=speakers[number], start=start, end=end))
        at = end
    return tuple(turns)
