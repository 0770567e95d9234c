"""What a night on a machine will do, in sentences, from what was measured and what waits. Pure."""

import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.cli import text

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.doctor import Finding

DAY_MINUTES = 24 * 60
MARKS = {True: "✓", False: "✗", None: "·"}
UNKNOWN_SPEED = (
    "How much a night learns here is not known; `nightloom doctor` measures it and says what is in "
    "the way."
)
BY_HAND = "Nights begin only by `nightloom night run --now`, as config.toml says."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Nights on this machine; tokens are of text."""

    night_seconds: float  # at most
    tokens_per_second: float | None  # of training
    passes: int  # how often a night reads what is new
    older: float  # tokens that it reads for each of new text
    waiting_tokens: int | None  # of new text; None where nobody could be asked
    enough: bool  # for a night

    @property
    def new_tokens(self) -> float | None:
        """New text that a whole night can learn."""
        if self.tokens_per_second is None:
            return None
        return self.night_seconds * self.tokens_per_second / (self.passes * self.older)

    @property
    def nights(self) -> int | None:
        """Until all that waits is learned."""
        if self.waiting_tokens is None or not self.new_tokens:
            return None
        return math.ceil(self.waiting_tokens / self.new_tokens)

    @property
    def seconds_for_all(self) -> float | None:
        """Of training, for all that waits."""
        if self.waiting_tokens is None or not self.tokens_per_second:
            return None
        return self.waiting_tokens * self.passes * self.older / self.tokens_per_second


def outlook_lines(outlook: Outlook) -> list[str]:
    """What a night makes, and when all is learned."""
    if outlook.new_tokens is None:
        return [UNKNOWN_SPEED]
    whole = outlook.night_seconds * (outlook.tokens_per_second or 0)
    lines = [
        f"A whole night here ({text.duration(outlook.night_seconds)}) trains on about "
        f"{text.about(whole)} tokens. That is about {text.about(outlook.new_tokens)} tokens of new "
        f"text, read {outlook.passes} times among older text."
    ]
    if outlook.waiting_tokens is None or outlook.nights is None:
        return lines
    waiting = f"About {text.about(outlook.waiting_tokens)} tokens of new text wait"
    if not outlook.enough:
        lines.append(f"{waiting}, too few for a night yet.")
    elif outlook.nights <= 1:
        lines.append(f"{waiting}: one night learns them; training takes {_time(outlook)} of it.")
    else:
        lines.append(f"{waiting}: all is learned after about {outlook.nights:,} nights.")
    return lines


def heat_line(threads: int, pauses_at: float | None) -> str:
    """What one hears and feels of it; degrees Celsius, None where nobody measures them."""
    pauses = "" if pauses_at is None else f" Above {pauses_at:g} °C it pauses."
    cores = "one core computes" if threads == 1 else f"{threads} cores compute"
    return (
        f"While it works {cores} without a pause: the machine gets as warm, and its fans as loud, "
        f"as with a video that is being cut.{pauses} Fewer `threads` under [engine] in config.toml "
        "make it quieter and slower."
    )


def when_line(config: "Config") -> str:
    """When it works, in a sentence."""
    night, conditions = config.night, config.conditions
    if not night.automatic:
        return BY_HAND
    return (
        f"It works at {night.window}, on the plug, when nobody has touched the machine for "
        f"{conditions.idle_minutes:g} minutes, and stops within a second when you come back; "
        "`nightloom why` says at any time what keeps it from working."
    )


def night_seconds(config: "Config") -> float:
    """The longest that a night can go on, by the clock."""
    longest = max(
        (_minutes(rule.end) - _minutes(rule.begin)) % DAY_MINUTES or DAY_MINUTES
        for rule in config.night.window.rules
    )
    return 60.0 * min(config.night.minutes, longest)


def _minutes(time: datetime.time) -> int:
    return 60 * time.hour + time.minute


def finding_rows(findings: "Iterable[Finding]") -> list[str]:
    """What ends or prevents nights here, each with what to do."""
    return [
        f"{MARKS[one.holds]} {text.value(one.name)}: {text.value(one.value)}."
        + (f" {text.value(one.advice)}" if one.advice else "")
        for one in findings
    ]


def _time(outlook: Outlook) -> str:
    """Roughly: it was not measured for long."""
    minutes = math.ceil((outlook.seconds_for_all or 0) / 60)
    return f"about {text.duration(60 * minutes)}" if minutes > 1 else "about a minute"
