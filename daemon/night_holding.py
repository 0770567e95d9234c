"""A night that is held, and what clients' chats take of one that works: two values to be shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The night computes nothing, for a reason that is the name of a condition."""

    reason: str
    since: float  # seconds since the epoch
    stop_seconds: float  # from the word to the last computation; 0 while that is awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurns:
    """What chats took of the night's recent time, and whether they wait for their turn now."""

    share: float  # 0 to 1
    capped: bool
