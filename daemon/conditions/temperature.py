"""Whether the machine is cool enough. Pure: what was read, and what was made of it before.

A machine that is hot has to become ten degrees cooler first, else a night would start and stop all
the time. A processor that speeds up is above the limit for moments, so what was cool enough counts
as hot when it has been above the limit for some seconds, or is far above it. What has no sensor, as
most virtual machines, is not held: the hardware below looks after itself, and `doctor` tells of it.
A sensor that cannot be read, or was there and is gone, leaves it unknown.
"""

from dataclasses import dataclass

from daemon.conditions.reading import Reading, unknown

NAMES = ("temperature",)
COOLER_CELSIUS = 10.0  # than the limit, after it was hot
FAR_ABOVE_CELSIUS = 10.0  # then nothing is waited for
BEAR_SECONDS = 10.0  # above the limit, when it was cool enough before
NO_SENSOR = "no sensor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """What was made of the temperature so far."""

    looked: bool = False
    hot: bool = False
    above_since: float | None = None  # monotonic seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed:
    """The hottest of the sensors that count. None: none can be read, or there is none."""

    sensors: int
    celsius: float | None


def temperature_reading(
    sensed: Sensed, *, limit: float, before: Heat, now: float
) -> tuple[Reading, Heat]:
    """Args:
    limit: in degrees Celsius.
    before: what came out of the last look.
    now: monotonic seconds.
    """
    threshold = f"at most {limit:g} °C"
    if not sensed.sensors and not before.looked:
        reading = Reading(name="temperature", holds=True, value=NO_SENSOR, threshold=threshold)
        return reading, Heat()
    if sensed.celsius is None:
        return unknown("temperature", threshold=threshold), before
    heat = after(sensed.celsius, limit=limit, before=before, now=now)
    cooler = limit - COOLER_CELSIUS
    return Reading(
        name="temperature",
        holds=not heat.hot,
        value=f"{sensed.celsius:.0f} °C",
        threshold=f"at most {cooler:g} °C again" if heat.hot else threshold,
        reason="hot" if heat.hot else "",
        advice="Let it cool down; more air helps, and so does a higher max_celsius in config.toml."
        if heat.hot
        else "",
    ), heat


def after(celsius: float, *, limit: float, before: Heat, now: float) -> Heat:
    """Hot or not after this look."""
    if before.hot:
        still = celsius > limit - COOLER_CELSIUS
        return Heat(looked=True, hot=still)
    if celsius <= limit:
        return Heat(looked=True)
    since = now if before.above_since is None else before.above_since
    at_once = not before.looked or celsius > limit + FAR_ABOVE_CELSIUS
    if at_once or now - since >= BEAR_SECONDS:
        return Heat(looked=True, hot=True)
    return Heat(looked=True, above_since=since)


def throttling_reading(held_back: str | None) -> Reading:
    """Of macOS, which tells no degrees but whether it holds back: "" for nothing."""
    if held_back is None:
        return unknown("temperature", threshold="not held back")
    return Reading(
        name="temperature",
        holds=not held_back,
        value=held_back or "not held back",
        threshold="not held back",
        reason="hot" if held_back else "",
        advice="Let it cool down." if held_back else "",
    )
