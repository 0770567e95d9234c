"""Exports of chats given to their readers, as the child gives them."""

import io
import json
from typing import Any

from daemon.extracting.chats import extract
from daemon.extracting.extracted import Extracted, Facts

ME = "Max Ohm"


def facts(size: int, *, me: tuple[str, ...] = (ME,)) -> Facts:
    return Facts(size=size, name="export", me=me, most_bytes=1 << 20)


def documents(export: str | bytes | Any, *, me: tuple[str, ...] = (ME,)) -> list[Extracted]:
    """Of a text, bytes, or what becomes JSON."""
    data = export if isinstance(export, bytes) else _text(export).encode()
    return list(extract(io.BytesIO(data), facts(len(data), me=me)))


def _text(export: Any) -> str:
    return export if isinstance(export, str) else json.dumps(export, ensure_ascii=False, indent=1)


def spoken(document: Extracted) -> list[tuple[str, str]]:
    """(speaker, words) of every turn."""
    return [(turn.speaker, document.text[turn.start : turn.end]) for turn in document.turns]


def own_words(found: list[Extracted]) -> list[str]:
    """The lines of all own turns."""
    return [
        line
        for document in found
        for turn in document.turns
        if turn.own
        for line in document.text[turn.start : turn.end].split("\n")
    ]
