"""How much of a working night clients' chats take, and when they have to wait for their turn.

A chat goes first, and a short one costs a night next to nothing. A client that keeps chatting would
eat it: each answer drops the micro-batch that runs, so that on a large base nothing would ever be
finished. So what chats take is averaged over the last minutes, and above a share they wait until a
micro-batch is done and the share has fallen. Pure: values in, values out.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPolicy:
    """Chats may take `most` of the time, averaged over `memory_seconds`.

    From nothing on, a client that never pauses reaches a half after 0.69 times that memory.
    """

    most: float = 0.5
    memory_seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatShare:
    """The share of the time until `at` that chats took, older time counting less and less.

    `waiting` is whether chats wait for their turn.
    """

    at: float  # seconds of any steady clock
    share: float = 0.0  # 0 to 1
    waiting: bool = False

    def until(self, now: float, chat_seconds: float, policy: ChatPolicy) -> "ChatShare":
        """The share at `now`, when chats took so much of the time since `at`."""
        passed = max(0.0, now - self.at)
        if passed == 0.0:
            return self
        kept = math.exp(-passed / policy.memory_seconds)
        taken = min(1.0, max(0.0, chat_seconds) / passed)
        return replace(self, at=now, share=self.share * kept + taken * (1.0 - kept))

    def served(self, policy: ChatPolicy) -> "ChatShare":
        """After a chat: too large a share makes the next ones wait."""
        return replace(self, waiting=self.waiting or self.share >= policy.most)

    def worked(self, policy: ChatPolicy) -> "ChatShare":
        """After finished work: chats wait no longer than their share is too large."""
        return replace(self, waiting=self.waiting and self.share >= policy.most)
