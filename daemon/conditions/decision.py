"""Whether a night may work, over all conditions at once. Pure: values in, a value out.

What is unknown counts as a no. What does not hold counts at once; what begins to hold has to do so
for a while before it is believed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from daemon.conditions.board import NOT_READ, Standing
from daemon.conditions.reading import NAMES

# What has to change first: what only a person can do, then what takes the longest.
FIRST = (
    "locked",
    "paused",
    "failing",
    "base",
    "window",
    "retry",
    "power",
    "battery",
    "low_power",
    "disk",
    "text",
    "temperature",
    "memory",
    "gpu",
    "inhibited",
    "presence",
    "chat",
)
SETTLING = "settling"  # the reason of what holds, but not for long enough
OF_MACHINE = frozenset(NAMES) - {"window"}  # the clock does not flutter
ONLY_TO_BEGIN = frozenset({"text", "base", "failing", "retry"})  # a night that has begun goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person's own word: work now.

    Temperature, memory, disk and others at the GPU are never overridden.
    """

    now: bool = False
    on_battery: bool = False

    @property
    def overridden(self) -> frozenset[str]:
        """Conditions that do not count."""
        names: set[str] = set()
        if self.now:
            # too little text and a base that cannot be used the night says itself
            names |= {"presence", "inhibited", "window", "retry", "failing", "text", "base"}
        if self.now and self.on_battery:
            names |= {"power", "battery", "low_power"}
        return frozenset(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long something has to hold before it counts, in seconds.

    Args:
        settle_seconds: by the name of the condition.
        go_on_seconds: of every condition of the machine.
    """

    settle_seconds: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"power": 120.0})
    )
    go_on_seconds: float = 30.0

    def settles_in(self, name: str, *, asked: bool, held: bool) -> float:
        """A person who asks now is not kept waiting; what was held proves itself all the same."""
        if asked and not held:
            return 0.0
        least = self.go_on_seconds if name in OF_MACHINE else 0.0
        return max(least, 0.0 if asked else self.settle_seconds.get(name, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One line of `why`.

    Args:
        since: seconds since the epoch; None where nobody knows.
        overridden: it does not count, for a person said so.
    """

    name: str
    holds: bool | None
    value: str
    threshold: str
    since: float | None
    reason: str
    advice: str
    overridden: bool = False

    @property
    def blocks(self) -> bool:
        return not self.holds and not self.overridden


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a night would work, and over what.

    Args:
        first: what would have to change first; None when it would work.
        look_again_in: seconds after which it may be otherwise though nothing is told.
    """

    would_work: bool
    conditions: tuple[Condition, ...]
    first: Condition | None
    look_again_in: float | None = None

    @property
    def only_settles(self) -> bool:
        """Whether all that is in the way holds already, and not for long enough."""
        return all(one.reason == SETTLING for one in self.conditions if one.blocks)

    def blocked_by(self, names: Iterable[str]) -> bool:
        """Whether one of these conditions is in the way."""
        wanted = frozenset(names)
        return any(one.blocks and one.name in wanted for one in self.conditions)


def decide(
    standings: Iterable[Standing],
    policy: Policy,
    *,
    steady: float,
    asked: Asked | None = None,
    runs: bool = False,
    held: bool = False,
) -> Decision:
    """Decide over everything that is known.

    Args:
        standings: of every condition, in the order in which they are shown.
        steady: now, by the clock of `Standing.steady_since`.
        asked: what a person said of the night that runs or shall begin.
        runs: there is a night, which has its text and its base.
        held: and it waits to go on.
    """
    asked = asked or Asked()
    overridden = asked.overridden | (ONLY_TO_BEGIN if runs else frozenset())
    conditions: list[Condition] = []
    waits: list[float] = []
    for standing in standings:
        name = standing.reading.name
        left = _seconds_left(standing, policy.settles_in(name, asked=asked.now, held=held), steady)
        condition = _condition(standing, left)
        if name in overridden:
            condition = replace(condition, overridden=True)
        elif left > 0:
            waits.append(left)
        conditions.append(condition)
    blocking = sorted((one for one in conditions if one.blocks), key=_order)
    return Decision(
        would_work=not blocking,
        conditions=tuple(conditions),
        first=blocking[0] if blocking else None,
        look_again_in=max(waits, default=None),
    )


def _seconds_left(standing: Standing, settles_in: float, steady: float) -> float:
    """Until what holds is believed; 0 where it is, or does not hold."""
    if not standing.reading.holds or standing.steady_since is None:
        return 0.0
    return max(0.0, standing.steady_since + settles_in - steady)


def _condition(standing: Standing, seconds_left: float) -> Condition:
    reading = standing.reading
    settled = seconds_left <= 0
    return Condition(
        name=reading.name,
        holds=reading.holds if settled else False,
        value=reading.value,
        threshold=reading.threshold,
        since=standing.since,
        reason=reading.reason if settled else SETTLING,
        advice=reading.advice
        if settled
        else f"Nothing; it has to stay so for {seconds_left:.0f} s more.",
    )


def _order(condition: Condition) -> tuple[bool, bool, int]:
    """What is looked at last, and was not yet, comes last: it may well hold. What only has to stay
    as it is comes after what has to change."""
    known = condition.name in FIRST
    rank = FIRST.index(condition.name) if known else len(FIRST)
    unread = condition.reason == NOT_READ and condition.name in ONLY_TO_BEGIN
    return unread, condition.reason == SETTLING, rank
