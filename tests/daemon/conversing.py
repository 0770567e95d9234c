"""A vault, a collector and whoever hears what is said over `api.sock`, for tests."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.conversations import Conversations
from daemon.vault_door import VaultDoor
from ipc.answered import AnsweredChat
from ipc.inference import ChatMessage
from storage.keys import Passphrase
from storage.records import DocumentState, SourceSettings, StoredDocument
from storage.vault import Vault
from tests.daemon.collecting.parts import HandClock, NoWatcher
from tests.storage.making import FAST, PASSPHRASE

CHATS = SourceSettings(name="talks", kind="conversations", path="")
Said = tuple[str, str]  # role, words


@dataclass
class Talks:
    door: VaultDoor
    clock: HandClock
    collector: Collector
    keeper: Conversations
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def listen(self, settings: SourceSettings = CHATS) -> None:
        placed = await self.collector.place(settings)
        await self.door.call(lambda vault: vault.sources.add(placed))
        self.collector.add(placed)

    def say(self, *messages: Said, answer: str) -> str:
        """What a client sent, and what was answered; the answer's id."""
        chat = AnsweredChat(
            id=f"chatcmpl-{next(self.numbers)}",
            messages=tuple(
                ChatMessage(role=role, content=words)  # type: ignore[arg-type]
                for role, words in messages
            ),
            answer=answer,
        )
        self.keeper.answered(chat)
        return chat.id

    async def heard(self) -> None:
        """Until all that was said is kept."""
        await self.collector.rescan(CHATS.name)

    async def documents(self) -> list[StoredDocument]:
        """Live ones, oldest first."""

        def act(vault: Vault) -> list[StoredDocument]:
            states = [state for state in DocumentState if state is not DocumentState.SUPERSEDED]
            found = vault.documents.read_many(states)
            return [one for one in found if isinstance(one, StoredDocument)]

        return await self.door.call(act)

    async def kept(self) -> list[list[tuple[str, str, bool]]]:
        """Of each conversation: speaker, words, whether they are the user's own to learn."""
        return [
            [(turn.speaker, one.text[turn.start : turn.end], turn.own) for turn in one.turns]
            for one in await self.documents()
        ]

    async def own(self) -> list[str]:
        """All that would be learned."""
        return [words for talk in await self.kept() for _, words, own in talk if own]


@contextlib.asynccontextmanager
async def talks(root: Path, *, listening: bool = True) -> AsyncIterator[Talks]:
    """In `root`, where a second time goes on with the vault of the first."""
    place = root / "vault"
    if again := place.exists():
        vault = Vault.open(place, Passphrase(text=PASSPHRASE))
    else:
        vault, _ = Vault.create(place, passphrase=PASSPHRASE, argon2=FAST)
    door, clock = VaultDoor(vault), HandClock()
    keeper = Conversations(door)
    collector = Collector(
        store=VaultStore(door),
        settings=CollectSettings(),
        clock=clock,
        watcher=NoWatcher(),
        listen=keeper.listen,
    )
    house = Talks(door=door, clock=clock, collector=collector, keeper=keeper)
    try:
        if again:
            for settings in await door.call(lambda vault: vault.sources.list()):
                collector.add(settings)
        elif listening:
            await house.listen()
        yield house
    finally:
        await collector.close()
        await door.close()
