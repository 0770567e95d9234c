"""How patient work makes way on the model thread: clients first, and rest while it is held.

Clients' chats are answered at once, together, until they took too much of the night
(`chat_share.py`); then no more of them are begun: those that are answered come to their end, and
the others wait for the end of a micro-batch. A word to hold, and an adapter that shall go, never
wait.
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
        do: does an urgent job; of a chat, all that are answered together with it.
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
        self._making: Job | None = None  # the work that makes way now
        self._lost = 0.0  # seconds that chats have taken from it

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
        self._pass_until(began - dropped)
        self._making, self._lost = job, 0.0
        try:
            while True:
                while (urgent := self._next()) is not None:
                    if urgent.op in CHATS and not self._desk.held:
                        if dropped:
                            self._pass_until(began, chatting=True)
                            self._lost, dropped = dropped, 0.0
                        self._serve(urgent)
                    else:  # rest is nothing that chats could eat
                        self._do(urgent)
                if not self._desk.held or job.unwanted:
                    break
                self._desk.rest(job)
        finally:
            self._making = None
        now = self._clock()
        self._pass_until(now)
        if self._lost > 0.0:
            self._say(tell, self._lost)
        return now - began

    def work_done(self, tell: Tell) -> None:
        """A piece of work came to its end."""
        self._pass_until(self._clock())
        before = self._chat.waiting
        self._now(self._chat.worked(self._policy))
        if before and not self._chat.waiting:
            self._say(tell, 0.0)

    # ------------------------------------------------------------------- chats

    def chats_begin(self) -> None:
        """From now on chats are answered, until `chats_passed` is called last."""
        self._pass_until(self._clock())

    def chats_passed(self) -> bool:
        """Asked between two steps of the chats that are answered: whether more may join them.

        They may as long as no patient work waits for their end, or their share is not used up.
        """
        waits = self._work_waits
        self._pass_until(self._clock(), chatting=waits)
        return not (waits and self._chat.waiting)

    @property
    def _work_waits(self) -> bool:
        making = self._making is not None and not self._making.unwanted
        return (making and not self._desk.held) or self._desk.patient_waits

    def _serve(self, chat: Job) -> None:
        self._pass_until(self._clock())
        self._do(chat)
        self.chats_passed()

    def _pass_until(self, now: float, *, chatting: bool = False) -> None:
        """Count the time since it was counted last."""
        passed = max(0.0, now - self._chat.at)
        if not passed:
            return
        self._now(self._chat.until(now, passed if chatting else 0.0, self._policy))
        if chatting:
            self._lost += passed
            self._now(self._chat.served(self._policy))

    def _now(self, chat: ChatShare) -> None:
        self._chat = chat
        self._desk.chats_wait = chat.waiting

    def _next(self) -> Job | None:
        return self._desk.take_urgent(chats=self._desk.held or not self._chat.waiting)

    def _say(self, tell: Tell, seconds: float) -> None:
        tell("chat", share=self._chat.share, capped=self._chat.waiting, seconds=seconds)
