"""Exports of ChatGPT: a list of conversations, each a tree of which the branch last seen counts.

What the user wrote is the user's own, answers are context. System messages, tools and their calls,
hidden messages and a model's thoughts are left out.
"""

import datetime
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chat_conversations import (
    ASSISTANT,
    ME,
    Message,
    Paths,
    conversations,
    document_of,
)
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.json_stream import DamagedJson, JsonStream
from daemon.extracting.text_pieces import text_pieces

FORMAT = "chatgpt"
_LATEST = 1 << 33  # seconds since the epoch
_LONGEST_TITLE = 200
_SPEAKERS = {"user": ME, "assistant": ASSISTANT}
_TEXTS = ("text", "multimodal_text")
_HIDDEN = ("is_visually_hidden_from_conversation", "is_user_system_message")
# Marks of sources in answers, which the pages show as links.
_CITED = re.compile("\ue200[^\ue201]{0,500}\ue201|[\ue200-\ue2ff]|【[^【】]{0,80}†[^【】]{0,80}】")


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    stream = JsonStream(text_pieces(file))
    paths = Paths()
    try:
        if stream.opens() != "[":
            yield from _documents(stream.value(), 1, paths)
            return
        for number, _ in enumerate(stream.elements(), start=1):
            yield from _documents(stream.value(), number, paths)
    except DamagedJson:
        raise Unreadable(SkipReason.DAMAGED) from None


def _documents(conversation: Any, number: int, paths: Paths) -> Iterator[Extracted]:
    if not isinstance(conversation, dict):
        return
    messages = [_message(node.get("message")) for node in branch(conversation)]
    about = {"format": FORMAT}
    title = conversation.get("title")
    if isinstance(title, str) and title.strip():
        about["title"] = title.strip()[:_LONGEST_TITLE]
    key = conversation.get("conversation_id") or conversation.get("id")
    key = key[:60] if isinstance(key, str) else f"{number}"
    for part in _parts([message for message in messages if message is not None]):
        document = document_of(
            part,
            path=paths.of(key, ""),
            about=about,
            modified_at=max((one.at for one in part if one.at is not None), default=None),
        )
        if document is not None:
            yield document


def _parts(messages: list[Message]) -> Iterator[list[Message]]:
    """By length alone: a conversation with a model goes on after days. No answer is parted from
    what it answers."""
    exchanges: list[list[Message]] = []
    for message in messages:
        if message.person == ME and (not exchanges or exchanges[-1][-1].person != ME):
            exchanges.append([])
        if not exchanges:
            exchanges.append([])
        exchanges[-1].append(message)
    timeless = [
        Message(person=ME, own=True, at=None, text=_length_of(exchange)) for exchange in exchanges
    ]
    rest = iter(exchanges)
    for group in conversations(timeless):
        yield [message for _ in group for message in next(rest)]


def _length_of(exchange: list[Message]) -> str:
    return " " * sum(len(message.text) for message in exchange)


def branch(conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes from the root to the one last seen; as far as the tree is one."""
    nodes = conversation.get("mapping")
    if not isinstance(nodes, dict):
        return []
    at = conversation.get("current_node")
    if not isinstance(at, str) or at not in nodes:
        at = _newest_leaf(nodes)
    way: list[dict[str, Any]] = []
    seen: set[str] = set()
    while isinstance(at, str) and at not in seen and isinstance(nodes.get(at), dict):
        seen.add(at)
        way.append(nodes[at])
        at = nodes[at].get("parent")
    way.reverse()
    return way


def _newest_leaf(nodes: dict[str, Any]) -> str | None:
    """Down from the root along the last children."""
    roots = [
        name for name, node in nodes.items() if isinstance(node, dict) and not node.get("parent")
    ]
    at: str | None = roots[0] if roots else None
    seen: set[str] = set()
    while at is not None and at not in seen:
        seen.add(at)
        node = nodes[at]
        below = node.get("children") if isinstance(node, dict) else None
        children = below if isinstance(below, list) else ()
        names = [name for name in children if isinstance(name, str) and name in nodes]
        if not names:
            break
        at = names[-1]
    return at


def _message(message: Any) -> Message | None:
    """None for what is not to be seen or has no words."""
    if not isinstance(message, dict):
        return None
    author, metadata = message.get("author"), message.get("metadata")
    role = author.get("role") if isinstance(author, dict) else None
    speaker = _SPEAKERS.get(role) if isinstance(role, str) else None
    if speaker is None or message.get("recipient") not in (None, "all"):
        return None
    if isinstance(metadata, dict) and any(metadata.get(sign) for sign in _HIDDEN):
        return None
    if message.get("weight") == 0:  # left out of the conversation by the service itself
        return None
    text = _text(message.get("content"))
    if speaker == ASSISTANT:
        text = _CITED.sub("", text)
    if not text.strip():
        return None
    return Message(person=speaker, text=text, own=speaker == ME, at=_time(message))


def _text(content: Any) -> str:
    if not isinstance(content, dict) or content.get("content_type") not in _TEXTS:
        return ""
    parts = content.get("parts")
    words: list[str] = []
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, dict) and part.get("content_type") == "audio_transcription":
            spoken = part.get("text")
            words.append(spoken if isinstance(spoken, str) else "")
    return "\n".join(word for word in words if word.strip())


def _time(message: dict[str, Any]) -> float | None:
    at = message.get("create_time")
    if isinstance(at, str):
        try:
            return datetime.datetime.fromisoformat(at).timestamp()
        except (ValueError, OverflowError):
            return None
    return float(at) if isinstance(at, int | float) and 0 < at < _LATEST else None
