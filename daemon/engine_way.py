"""How patient work makes way on the model thread: clients first, and rest while it is held.

Clients' chats are answered at once, until they took too much of the night (`chat_share.py`); then
they wait for the end of a micro-batch. A word to hold, and an adapter that shall go, never wait.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

from daemon.chat_share import ChatPolicy, ChatShare
from daemon.engine import CHATS, Desk, Job


class Tell(Protocol):
    """Tells who asked for the work."""

    def __call__(self, event: str, **facts: Any) -> None: ...


class Way:
    """Between the desk and the work that runs. Touched by the model thread only.

    Args:
        do: does an urgent job.
        clock: seconds that only go up.
    """

    def __init__(
        self,
        desk: Desk,
        do: Callable[[Job], None],
        *,
        policy: ChatPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = desk
        self._do = do
        self._policy = policy or ChatPolicy()
        self._clock = clock
        self._chat = ChatShare(at=clock())

    def is_wanted(self) -> bool:
        """Whether the work that runs shall make way now, asked at every layer's border."""
        return self._desk.urgent_waits(chats=not self._chat.waiting)

    def is_held(self) -> bool:
        """Likewise, for work that makes way for clients between its pieces."""
        return self._desk.urgent_waits(chats=False)

    def make(self, job: Job, tell: Tell, dropped: float = 0.0) -> float:
        """Serve who waits, and rest while patient work is held; seconds that passed.

        Args:
            job: the work that makes way; once it is unwanted it does not rest.
            dropped: seconds of work that are lost by it; chats pay for them.
        """
        began = self._clock()
        chat = 0.0
        self._chat = self._chat.until(began - dropped, 0.0, self._policy)
        while True:
            while (urgent := self._next()) is not None:
                at, held = self._clock(), self._desk.held
                self._do(urgent)
                if urgent.op in CHATS and not held:  # rest is nothing that chats could eat
                    chat += self._clock() - at
            if not self._desk.held or job.unwanted:
                break
            self._desk.rest(job)
        now = self._clock()
        if chat > 0.0:
            chat += dropped
        self._chat = self._chat.until(now, chat, self._policy)
        if chat > 0.0:
            self._chat = self._chat.served(self._policy)
            self._say(tell, chat)
        return now - began

    def work_done(self, tell: Tell) -> None:
        """A piece of work came to its end."""
        self._chat = self._chat.until(self._clock(), 0.0, self._policy)
        before, self._chat = self._chat, self._chat.worked(self._policy)
        if before.waiting and not self._chat.waiting:
            self._say(tell, 0.0)

    def _next(self) -> Job | None:
        return self._desk.take_urgent(chats=self._desk.held or not self._chat.waiting)

    def _say(self, tell: Tell, seconds: float) -> None:
        tell("chat", share=self._chat.share, capped=self._chat.waiting, seconds=seconds)
