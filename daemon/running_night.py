"""The night that runs: its record, its stop-watches, and who is told of its progress.

Seconds are those in which it worked; those in which it was held, or made way for chats, are counted
as lost, by their reason. Knows neither vault nor engine; what is kept of it is `record`
(see `night_record.py`).
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from daemon import night_record
from daemon.memory_reading import own_bytes
from daemon.night_holding import Held
from daemon.night_record import NightState, Record
from storage.records import Measured

MAY_BE_HELD = frozenset({NightState.PREPARING, NightState.TRAINING, NightState.JUDGING})

Progress = Callable[[dict[str, Any]], None]


class RunningNight:
    """One night from its first stage to its last.

    Args:
        clock: seconds since the epoch.
        progress: told of every stage and every step.
        on_state: told of every state.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        progress: Progress,
        on_state: Callable[[NightState], None],
    ) -> None:
        self._progress = progress
        self._on_state = on_state
        self._seconds_before = 0.0
        self._began = time.monotonic()
        self._stage = NightState.PREPARING.value
        self._stage_began = self._began
        self._lost_seconds = 0.0  # since it began or was taken up
        self._clock = clock
        self._held_at = NightState.PREPARING
        self.held: Held | None = None
        self.record = night_record.begin(started_at=clock(), base="", parent=None)

    @property
    def id(self) -> int:
        return int(self.record["id"])

    def stage(self, state: NightState) -> None:
        """Begin a stage of the stop-watch and tell."""
        self._clock_stage()
        self._stage = state.value
        self._on_state(state)
        self.tell(state, None)

    def tell(self, state: NightState, share: float | None) -> None:
        self._progress({"state": state.value, "stage_progress": share})

    def move(self, state: NightState) -> None:
        self._end_hold()
        self.record = night_record.moved(self.record, state)
        self.stage(state)

    def takes_up(self, old: Record) -> None:
        """Go on with a night that did not end; its steps are counted on."""
        self._seconds_before = float(old["seconds"])
        lost = dict(old["lost"])
        for reason, seconds in self.record["lost"].items():  # before it knew which night it is
            lost[reason] = lost.get(reason, 0.0) + seconds
        self.record = {**old, "state": self.record["state"], "reason": None, "lost": lost}

    def begins(self, base: str, parent: str | None) -> None:
        """It is a new one, of this base and on top of this adapter."""
        new = night_record.begin(started_at=self._clock(), base=base, parent=parent)
        so_far = ("state", "stage_seconds", "lost", "holds", "slowest_stop_seconds")
        self.record = {**new, **{name: self.record[name] for name in so_far}}

    # ------------------------------------------------------------------- held

    def hold(self, reason: str) -> bool:
        """From now on its seconds are lost to this reason; whether it can be held now."""
        if self.held is not None:
            self._clock_stage()
            self.held = replace(self.held, reason=reason)
            return True
        state = NightState(self.record["state"])
        if state not in MAY_BE_HELD:
            return False
        self._clock_stage()
        self._held_at = state
        self.held = Held(reason=reason, since=self._clock(), stop_seconds=0.0)
        self.record = night_record.moved(self.record, NightState.YIELDING)
        self.record["holds"] = self.record.get("holds", 0) + 1
        self._on_state(NightState.YIELDING)
        self._progress(
            {"state": NightState.YIELDING.value, "stage_progress": None, "reason": reason}
        )
        return True

    def stands_still(self, seconds: float) -> None:
        """So long after the word to hold, the last computation ended."""
        if self.held is not None:
            self.held = replace(self.held, stop_seconds=seconds)
            slowest = self.record.get("slowest_stop_seconds") or 0.0
            self.record["slowest_stop_seconds"] = max(slowest, seconds)

    def go_on(self) -> None:
        """Its seconds are work again."""
        if self.held is not None:
            self._end_hold()
            self._on_state(self._held_at)
            self.tell(self._held_at, None)

    def yields(self) -> None:
        """It ends here for now; one that was held says why."""
        if self.held is None:
            self.move(NightState.YIELDING)
        else:
            self.record["reason"] = self.held.reason

    def _end_hold(self) -> None:
        if self.held is not None:
            self._clock_stage()
            self.held = None
            self.record = night_record.moved(self.record, self._held_at)

    def lost(self, reason: str, seconds: float) -> None:
        """So many of the seconds of this stage were no work."""
        if seconds > 0.0:
            self._clock_stage()
            stages = self.record["stage_seconds"]
            seconds = min(seconds, stages[self._stage])
            stages[self._stage] -= seconds
            self._lose(reason, seconds)

    def _lose(self, reason: str, seconds: float) -> None:
        lost = self.record["lost"]
        lost[reason] = lost.get(reason, 0.0) + seconds
        self._lost_seconds += seconds

    # ------------------------------------------------------------------- steps and ends

    def waits(self, reason: str, sentence: str) -> Record:
        """It did not begin, or goes on another time; nothing is kept of this try."""
        self.record = {
            **self.record,
            "state": NightState.WAITING.value,
            "reason": reason,
            "sentence": sentence,
        }
        return self.timed()

    def stepped(self, header: dict[str, Any]) -> None:
        """An optimizer step, as the engine tells of it."""
        step, steps = int(header["step"]), int(header["steps"])
        seconds, tokens = float(header["seconds"]), int(header["tokens"])
        record = self.record
        record["steps"] = step
        record["tokens"] += tokens
        rate = tokens / max(seconds, 1e-6)
        previous = record["tokens_per_second"]
        record["tokens_per_second"] = rate if previous is None else 0.9 * previous + 0.1 * rate
        record["peak_bytes"] = max(record["peak_bytes"], own_bytes() + int(header["engine_bytes"]))
        self._progress(
            {
                "state": NightState.TRAINING.value,
                "stage_progress": step / max(steps, 1),
                "step": step,
                "steps": steps,
                "loss": float(header["loss"]),
                "tokens": record["tokens"],
                "tokens_per_second": record["tokens_per_second"],
                "seconds": time.monotonic() - self._began,
            }
        )

    def judged(self, adapter: str, measured: Measured) -> None:
        """What the gate measured of the adapter with this digest."""
        self.record = night_record.with_measured(self.record, measured)
        self.record["adapter"] = adapter[:12]

    def end(
        self, state: NightState, verdict: str | None, reason: str | None, sentence: str
    ) -> None:
        self.record = self.ended(state, verdict, reason, sentence)

    def ended(
        self, state: NightState, verdict: str | None, reason: str | None, sentence: str
    ) -> Record:
        """The record as it will be once the night has ended so."""
        self._end_hold()
        return {
            **night_record.moved(self.timed(), state),
            "verdict": verdict,
            "reason": reason,
            "sentence": sentence,
        }

    def timed(self) -> Record:
        """The record with its seconds brought up to now."""
        self._clock_stage()
        passed = self._stage_began - self._began  # the stage's watch was read just now
        self.record["seconds"] = self._seconds_before + passed - self._lost_seconds
        return self.record

    def _clock_stage(self) -> None:
        now = time.monotonic()
        passed = now - self._stage_began
        self._stage_began = now
        seconds = self.record["stage_seconds"]
        seconds.setdefault(self._stage, 0.0)
        if self.held is None:
            seconds[self._stage] += passed
        else:
            self._lose(self.held.reason, passed)
