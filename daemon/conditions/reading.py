"""What is read of the machine for a night: one value for each condition, and who reads it.

A provider stands at the edge and tells; it decides nothing. `decision.py` decides over all of them.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One condition as it is now. `holds` is None where it could not be found out: that is a no.

    Args:
        name: of the condition, one of `NAMES`.
        value: what was read, in a user's words; never a path or a name of something private.
        threshold: what it has to be.
        reason: a code for what is in the way, such as `on_battery`; empty where it holds.
        advice: what would have to change, in a few words; empty where it holds.
    """

    name: str
    holds: bool | None
    value: str
    threshold: str
    reason: str = ""
    advice: str = ""


# In the order in which `why` shows them.
NAMES = (
    "power",
    "battery",
    "low_power",
    "presence",
    "inhibited",
    "window",
    "temperature",
    "memory",
    "disk",
    "gpu",
)

Tell = Callable[[Reading], None]


def unknown(name: str, *, threshold: str = "", advice: str = "") -> Reading:
    """What nobody could say just now, which counts as a no."""
    return Reading(
        name=name,
        holds=None,
        value="not known",
        threshold=threshold,
        reason=f"{name}_unknown",
        advice=advice or "It could not be read just now; nightloom goes on asking.",
    )


class Provider(Protocol):
    """Reads one condition or a few."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the conditions that it tells of."""
        ...

    async def run(self, tell: Tell) -> None:
        """Tells what it reads, at once and at each change, until it is cancelled.

        Raises nothing else: what cannot be read is told as unknown, with its reason.
        """
        ...


class Attention:
    """How closely the machine is watched: closely while a night works, else from afar.

    For what has no events and has to be looked at again and again.
    """

    def __init__(self) -> None:
        self._close = False
        self._changed = asyncio.Event()

    @property
    def close(self) -> bool:
        return self._close

    def set(self, *, close: bool) -> None:
        if close != self._close:
            self._close = close
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def wait(self, *, close_seconds: float, far_seconds: float) -> None:
        """Until it is time to look again, or the attention changes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(close_seconds if self._close else far_seconds):
                await self._changed.wait()
