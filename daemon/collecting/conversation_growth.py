"""Which conversation an exchange belongs to, and what becomes of that. Pure.

The API has no conversations: a client sends all that was said so far. What was said before is only
used to find the conversation again, by the last exchange of it that is kept, so that a client that
sends a window of it is understood too, and that nothing comes in that was not answered here while
it was allowed.

An exchange that follows the last one of a conversation makes it longer. One that asks the last
question again takes its place. One that goes on from further back begins a conversation of its own,
with what came before as context: nothing that the user said is lost, and nothing is learned twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from daemon.collecting.conversation_exchanges import (
    Conversation,
    Exchange,
    Line,
    same_question,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An exchange of a conversation that is kept."""

    path: str
    position: int


class KnownExchanges:
    """In which conversations each exchange stands that was kept."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[str, ...]] = {}  # by path
        self._paths: dict[str, list[str]] = {}  # by key, those that were kept first before others

    def note(self, path: str, keys: Sequence[str]) -> None:
        """A conversation as it is kept now."""
        self.drop(path)
        self._keys[path] = tuple(keys)
        for key in self._keys[path]:
            self._paths.setdefault(key, []).append(path)

    def drop(self, path: str) -> None:
        for key in self._keys.pop(path, ()):
            self._paths[key].remove(path)
            if not self._paths[key]:
                del self._paths[key]

    def agrees(self, path: str, keys: Sequence[str]) -> bool:
        """Whether a conversation is still as it is known."""
        return self._keys.get(path) == tuple(keys)

    def paths_with(self, key: str) -> tuple[str, ...]:
        return tuple(self._paths.get(key, ()))

    def before(self, key: str, history: Iterable[str]) -> Place | None:
        """What an exchange goes on from: the latest that is known of what was said before it;
        where nothing was, a conversation that is nothing but the same question.
        """
        said = tuple(history)
        for earlier in reversed(said):
            if earlier in self._paths:
                places = [self._place(path, earlier) for path in self._paths[earlier]]
                return max(places, key=lambda place: self._fits(place, key))  # the first of equals
        alone = [
            path
            for path, keys in self._keys.items()
            if len(keys) == 1 and same_question(keys[0], key)
        ]
        return Place(path=alone[-1], position=-1) if alone and not said else None

    def _place(self, path: str, key: str) -> Place:
        return Place(path=path, position=self._keys[path].index(key))

    def _fits(self, place: Place, key: str) -> int:
        """2 where the conversation ends there, 1 where its last question was asked again."""
        follow = self._keys[place.path][place.position + 1 :]
        if len(follow) == 1 and same_question(follow[0], key):
            return 1
        return 0 if follow else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An exchange that was just held, and what the client sent before it, by key."""

    key: str
    exchange: Exchange = field(repr=False)
    history: Mapping[str, Exchange] = field(repr=False)


def grown(before: Conversation, position: int, said: Said) -> Conversation:
    """What is to be kept, now that something was said after the exchange at `position`."""
    line = Line(key=said.key, own=True, exchange=said.exchange)
    kept, follow = before.lines[: position + 1], before.lines[position + 1 :]
    if not follow:
        return replace(before, lines=(*as_sent(kept, said), line))
    if len(follow) == 1 and same_question(follow[0].key, said.key):
        again = replace(line, own=follow[0].own)
        return replace(before, lines=(*as_sent(kept, said), again))
    context = tuple(replace(one, own=False) for one in as_sent(kept, said))
    return Conversation(path=said.key, lines=(*context, line))


def begun(said: Said) -> Conversation:
    return Conversation(
        path=said.key, lines=(Line(key=said.key, own=True, exchange=said.exchange),)
    )


def as_sent(lines: Iterable[Line], said: Said) -> tuple[Line, ...]:
    """Kept lines in the words of the client, if it sent them all: so the same name or number gets
    the same placeholder in all of the conversation.
    """
    kept = tuple(lines)
    if any(line.key not in said.history for line in kept):
        return kept
    return tuple(replace(line, exchange=said.history[line.key]) for line in kept)
