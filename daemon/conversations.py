"""From `api.sock` to the source of kind `conversations`, if there is one and it listens.

Implements `ipc.answered.ChatKeeper`: it takes what was answered, at once, and hands it on. While
the vault is locked, the source paused or not there, what is answered is let go. Of the last answers
it remembers the ids, so that a word about one that was not kept is told from a word about nothing.
"""

from collections import OrderedDict
from collections.abc import Sequence

from daemon.collecting.clock import Clock
from daemon.collecting.conversation_exchanges import exchanges_of
from daemon.collecting.conversation_keeping import ConversationKeeping, ConversationStore
from daemon.collecting.conversation_listening import Listener
from daemon.collecting.conversation_shelf import ConversationShelf
from daemon.collecting.conversations_source import ConversationsSource
from daemon.errors import AnswerNotRemembered, VaultIsLocked
from daemon.vault_door import VaultDoor
from ipc.answered import AnsweredChat, Quality
from ipc.errors import UnknownAnswer, VaultLocked

MOST_REMEMBERED = 1_000  # ids of answers


class Conversations:
    """`listen` is given to the collector, the rest to the sockets."""

    def __init__(self, door: VaultDoor) -> None:
        self._door = door
        self._listener: Listener | None = None
        self._answered: OrderedDict[str, None] = OrderedDict()

    def listen(
        self, source: ConversationsSource, *, store: ConversationStore, clock: Clock
    ) -> Listener:
        """From now on what is said goes to this source.

        One that went on after a lock knows none of the answers before it, so they are not
        remembered here either.
        """
        if self._listener is not None:
            self._answered.clear()
        shelf = ConversationShelf(self._door, source.settings.name)
        keeping = ConversationKeeping(source.settings.name, store=store, shelf=shelf)
        self._listener = Listener(source, keeping=keeping, clock=clock)
        return self._listener

    def answered(self, chat: AnsweredChat) -> None:
        """See `ChatKeeper`."""
        self._remember(chat.id)
        if (listener := self._listening()) is not None:
            messages = ((message.role, message.content) for message in chat.messages)
            listener.hear(chat.id, exchanges_of(messages, chat.answer))

    def kept_out(self, id: str) -> None:
        """See `ChatKeeper`."""
        self._remember(id)
        if (listener := self._listening()) is not None:
            listener.kept_out()

    async def judged(self, id: str, quality: Quality) -> bool:
        """See `ChatKeeper`."""
        if not self._door.is_open:
            raise VaultLocked
        if id not in self._answered:
            raise UnknownAnswer
        listener = self._listening()
        if listener is None:
            return False
        try:
            return await listener.judge(id, good=quality == "good")
        except VaultIsLocked:
            raise VaultLocked from None

    async def kept(self, ids: Sequence[str]) -> set[tuple[str, str]]:
        """Source and path of the conversations in the vault that hold one of these answers.

        Raises:
            AnswerNotRemembered, VaultIsLocked
        """
        if any(id not in self._answered for id in ids):
            raise AnswerNotRemembered
        listener = self._listening()
        if listener is None:
            return set()
        paths = await listener.paths(ids)
        if paths is None:
            raise AnswerNotRemembered
        return {(listener.source.settings.name, path) for path in paths}

    def _listening(self) -> Listener | None:
        if self._listener is not None and (self._listener.closed or not self._door.is_open):
            return None
        return self._listener

    def _remember(self, id: str) -> None:
        self._answered[id] = None
        while len(self._answered) > MOST_REMEMBERED:
            self._answered.popitem(last=False)
