"""The night that runs: its record, its stop-watches, and who is told of its progress.

Knows neither vault nor engine; what is kept of it is `record` (see `night_record.py`).
"""

import time
from collections.abc import Callable
from typing import Any

from daemon import night_record
from daemon.memory_reading import own_bytes
from daemon.night_record import NightState, Record
from storage.records import Measured

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
        self.record = night_record.moved(self.record, state)
        self.stage(state)

    def takes_up(self, old: Record) -> None:
        """Go on with a night that did not end; its steps are counted on."""
        self._seconds_before = float(old["seconds"])
        self.record = {**old, "state": NightState.PREPARING.value}

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
        return {
            **night_record.moved(self.timed(), state),
            "verdict": verdict,
            "reason": reason,
            "sentence": sentence,
        }

    def timed(self) -> Record:
        """The record with its seconds brought up to now."""
        self._clock_stage()
        self.record["seconds"] = self._seconds_before + time.monotonic() - self._began
        return self.record

    def _clock_stage(self) -> None:
        now = time.monotonic()
        seconds = self.record["stage_seconds"]
        seconds[self._stage] = seconds.get(self._stage, 0.0) + now - self._stage_began
        self._stage_began = now
