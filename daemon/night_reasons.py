"""What has to hold for a night beside the machine: readings made of facts. Pure.

The vault, pauses, hours, how the last nights ended, text and base, in the form of
`conditions/reading.py`.
"""

import datetime

from daemon.conditions.board import NOT_READ
from daemon.conditions.reading import Reading
from daemon.conditions.window import Window
from daemon.night_holding import ChatTurns
from daemon.night_orders import Orders
from daemon.night_planning import NightPlan, TooLittle
from daemon.night_retries import FAILURES_AT_MOST, Retry
from daemon.pausing import Pause

NAMES = ("locked", "paused", "failing", "base", "text", "window", "retry", "chat")

BY_HAND = "by_hand"
_WAITS_FOR = {
    "after_failure": "the last night failed",
    "after_refusal": "tonight's adapter was refused",
    "after_waiting": "the last night could not begin",
    "stopped_by_hand": "the night was stopped by hand",
}


def lock_reading(*, is_open: bool) -> Reading:
    if is_open:
        return Reading(name="locked", holds=True, value="open", threshold="open")
    return Reading(
        name="locked",
        holds=False,
        value="locked",
        threshold="open",
        reason="locked",
        advice="Open the vault with `nightloom unlock`.",
    )


def pause_reading(
    everything: Pause | None, orders: Orders, zone: datetime.tzinfo | None
) -> Reading:
    """Of a pause of everything, or of nights alone."""
    pause, verb = everything, "nightloom resume"
    if pause is None:
        pause, verb = orders.paused, "nightloom night resume"
    if pause is None:
        return Reading(name="paused", holds=True, value="at work", threshold="at work")
    until = "" if pause.until is None else f" until {clock_text(pause.until, zone)}"
    return Reading(
        name="paused",
        holds=False,
        value=f"paused{until}",
        threshold="at work",
        reason="paused",
        advice=f"`{verb}` ends the pause{', or its time' if until else ''}.",
    )


def window_reading(
    window: Window, now: float, zone: datetime.tzinfo | None, *, automatic: bool
) -> Reading:
    shown = _local(now, zone)
    if not automatic:
        return Reading(
            name="window",
            holds=False,
            value="nights begin by hand",
            threshold="night.automatic",
            reason=BY_HAND,
            advice="Start one with `nightloom night run --now`, or set `automatic = true` under "
            "[night] in config.toml.",
        )
    if window.at(now, zone) is not None:
        return Reading(name="window", holds=True, value=f"{shown:%H:%M}", threshold=str(window))
    following = window.next(now, zone)
    when = "never" if following is None else clock_text(following.begin, zone)
    return Reading(
        name="window",
        holds=False,
        value=f"{shown:%H:%M}",
        threshold=str(window),
        reason="outside_window",
        advice=f"Nothing; the next window begins at {when}.",
    )


def failing_reading(retry: Retry) -> Reading:
    said = "one failed" if retry.failures == 1 else f"{retry.failures} failed in a row"
    value = said if retry.failures else "none failed"
    threshold = f"fewer than {FAILURES_AT_MOST} in a row"
    if not retry.is_stopped:
        return Reading(name="failing", holds=True, value=value, threshold=threshold)
    return Reading(
        name="failing",
        holds=False,
        value=value,
        threshold=threshold,
        reason="failing",
        advice="`nightloom night log` says why; then `nightloom night resume`, or "
        "`nightloom night run --now`.",
    )


def retry_reading(retry: Retry, now: float, zone: datetime.tzinfo | None) -> Reading:
    """Whether there is something to be waited for after the last night."""
    if retry.is_stopped or retry.again_at is None or now >= retry.again_at:
        return Reading(name="retry", holds=True, value="nothing", threshold="nothing to wait for")
    return Reading(
        name="retry",
        holds=False,
        value=_WAITS_FOR[retry.reason],
        threshold=f"from {clock_text(retry.again_at, zone)}",
        reason=retry.reason,
        advice=f"Nothing; nights go on at {clock_text(retry.again_at, zone)}.",
    )


def base_reading(name: str, problem: str | None) -> Reading:
    if problem is None:
        return Reading(name="base", holds=True, value=name, threshold="can be used")
    return Reading(
        name="base",
        holds=False,
        value=name,
        threshold="can be used",
        reason="base",
        advice=problem,
    )


def text_reading(plan: NightPlan | TooLittle, minimum_tokens: int, *, unfinished: bool) -> Reading:
    """Whether there is enough new text, or a night that was begun and not finished.

    Args:
        plan: what a night would make of the text that there is.
    """
    threshold = f"{minimum_tokens:,} new tokens"
    if unfinished:
        return Reading(name="text", holds=True, value="a night to go on with", threshold=threshold)
    if isinstance(plan, NightPlan):
        value = f"{len(plan.train) + len(plan.reading):,} documents"
        return Reading(name="text", holds=True, value=value, threshold=threshold)
    return Reading(
        name="text",
        holds=False,
        value=f"about {plan.tokens:,} new tokens",
        threshold=threshold,
        reason="too_little_text",
        advice=plan.sentence,
    )


def chat_reading(turns: ChatTurns | None) -> Reading:
    """What clients' chats take of the night. It never stops one; it says where the time goes."""
    share = 0.0 if turns is None else turns.share
    capped = turns is not None and turns.capped
    return Reading(
        name="chat",
        holds=True,
        value=f"{share:.0%} of the night's time" + (", waiting in turn" if capped else ""),
        threshold="anything",
        reason="chat" if capped else "",
        advice="Nothing; chats wait for their turn, so that the night goes on." if capped else "",
    )


def unknown_reading(name: str) -> Reading:
    """Of what nobody has looked at yet, or cannot while the vault is locked."""
    return Reading(
        name=name,
        holds=None,
        value="not looked at yet",
        threshold="known",
        reason=NOT_READ,
        advice="Nothing; it is looked at when all else holds.",
    )


def _local(moment: float, zone: datetime.tzinfo | None) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, zone)


def clock_text(moment: float, zone: datetime.tzinfo | None) -> str:
    return f"{_local(moment, zone):%a %H:%M}"
