"""Conversation trees of the OASST kind, and lists of messages: JSON, one value on each line.

Of a tree the top-ranked reply at each level is taken. All of a conversation is learned, both sides:
every turn is `own`. Three shapes: trees (`prompt` with `replies`), flat messages with `parent_id`
(in any order), and conversations with `messages` that have a `role` and `content`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chat_conversations import ASSISTANT, Message, Paths, document_of
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.json_stream import DamagedJson, JsonStream
from daemon.extracting.text_pieces import text_pieces

FORMAT = "oasst"
MOST_MESSAGES = 1_000_000  # flat ones, whose places in the file are held
MOST_TURNS = 1_000
_ROLES = {"prompter": "prompter", "user": "prompter", "human": "prompter", "assistant": ASSISTANT}
_UNRANKED = 1 << 30


@dataclass(frozen=True, slots=True)
class _Flat:
    """A flat message without its words: where it stands among the values of the file."""

    parent: str | None
    rank: float
    number: int
    good: bool


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    paths = Paths()
    whole = True
    flat: dict[str, _Flat] = {}
    values = _Values(file)
    for number, value in enumerate(values):
        if "parent_id" in value or "message_id" in value:
            name = value.get("message_id")
            if isinstance(name, str) and name not in flat and len(flat) < MOST_MESSAGES:
                parent = value.get("parent_id")
                flat[name] = _Flat(
                    parent if isinstance(parent, str) else None,
                    _rank(value),
                    number,
                    _good(value),
                )
            continue
        messages = _branch(value["prompt"]) if "prompt" in value else _listed(value)
        yield from _document(messages, value, paths, f"{number + 1}")
    whole = values.whole
    if flat:
        yield from _flat_documents(file, flat, paths)
    if not whole:
        raise Unreadable(SkipReason.DAMAGED)


class _Values:
    """The objects of a file, in a list or one after the other. `whole` is known at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.whole = True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        stream = JsonStream(text_pieces(self._file))
        try:
            if stream.opens() == "[":
                for _ in stream.elements():
                    yield _object(stream.value())
            else:
                while stream.opens():
                    yield _object(stream.value())
        except DamagedJson:
            self.whole = False


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _document(
    messages: list[dict[str, Any]], tree: dict[str, Any], paths: Paths, otherwise: str
) -> Iterator[Extracted]:
    turns = [turn for turn in map(_turn, messages[:MOST_TURNS]) if turn is not None]
    if not turns or len({turn.person for turn in turns}) < 2:
        return  # a question that nobody answered
    about = {"format": FORMAT}
    language = next((m["lang"] for m in (tree, *messages) if isinstance(m.get("lang"), str)), "")
    if language:
        about["language"] = language[:20]
    key = next(
        (tree[name] for name in ("message_tree_id", "id", "message_id") if _is_key(tree.get(name))),
        otherwise,
    )
    document = document_of(turns, path=paths.of(key[:60], ""), about=about)
    if document is not None:
        yield document


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _turn(message: dict[str, Any]) -> Message | None:
    role = message.get("role")
    person = _ROLES.get(role) if isinstance(role, str) else None
    text = message.get("text", message.get("content"))
    if person is None or not isinstance(text, str) or not text.strip():
        return None
    return Message(person=person, text=text, own=True, at=None)


def _branch(prompt: Any) -> list[dict[str, Any]]:
    """From the prompt along the best replies; a deleted message ends it."""
    way: list[dict[str, Any]] = []
    at = prompt
    while isinstance(at, dict) and _good(at) and len(way) < MOST_TURNS:
        way.append(at)
        replies = at.get("replies")
        good = [one for one in (replies if isinstance(replies, list) else ()) if _is_good(one)]
        at = min(good, key=_rank, default=None)
    return way


def _listed(value: dict[str, Any]) -> list[dict[str, Any]]:
    messages = value.get("messages")
    return [m for m in (messages if isinstance(messages, list) else ()) if isinstance(m, dict)]


def _is_good(message: Any) -> bool:
    return isinstance(message, dict) and _good(message)


def _good(message: dict[str, Any]) -> bool:
    return not message.get("deleted") and message.get("review_result") is not False


def _rank(message: dict[str, Any]) -> float:
    """0 is the best; those without a rank come after those with one, in their order."""
    rank = message.get("rank")
    return rank if isinstance(rank, int | float) and rank == rank else _UNRANKED


def _flat_documents(file: BinaryIO, flat: dict[str, _Flat], paths: Paths) -> Iterator[Extracted]:
    """Trees out of flat messages: first the ways by number, then the words of these alone.

    A parent that is its own ancestor has no root, so nothing leads there.
    """
    best: dict[str, tuple[float, int, str]] = {}
    for name, message in flat.items():
        if message.parent is not None and message.good:
            best[message.parent] = min(
                best.get(message.parent, (float("inf"), 0, "")),
                (message.rank, message.number, name),
            )
    ways: dict[str, list[int]] = {}
    for name, message in flat.items():
        if message.parent is None and message.good:
            way, at = [message.number], name
            while at in best and len(way) < MOST_TURNS:
                at = best[at][2]
                way.append(flat[at].number)
            ways[name] = way
    yield from _told(file, ways, paths)


def _told(file: BinaryIO, ways: dict[str, list[int]], paths: Paths) -> Iterator[Extracted]:
    """The words of each way, given as soon as the last of them was read."""
    root_of = {number: name for name, way in ways.items() for number in way}
    words: dict[str, dict[int, dict[str, Any]]] = {}
    for number, value in enumerate(_Values(file)):
        root = root_of.get(number)
        if root is None:
            continue
        got = words.setdefault(root, {})
        got[number] = value
        if len(got) == len(ways[root]):
            messages = [got[place] for place in ways[root]]
            del words[root]
            yield from _document(messages, {"message_tree_id": root}, paths, root)
