"""What a long night is watched with: a log with times, its steps, peaks of memory, and rest."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from daemon.cli.process_tree import descendants
from tests.pipeline.living import Json, cpu_seconds, is_engine, state_of

REST_SECONDS = 1.0  # without any processor time: what computes is never still for so long


class Chronicle:
    """Lines with the seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        print(time.strftime("%Y-%m-%d %H:%M:%S"), flush=True)

    def say(self, line: str) -> None:
        print(f"{time.monotonic() - self._began:8.1f} s  {line}", flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    step: int
    steps: int
    loss: float
    tokens: int  # of the night so far
    seconds: float  # from the step before, or the moment when the watching began


class NightLines:
    """A night's progress: keeps the last step, tells each and every change of state."""

    def __init__(self, lines: Iterator[Json], log: Chronicle) -> None:
        self._lines = lines
        self._log = log
        self._state = ""
        self._came = time.monotonic()
        self._last: Step | None = None
        self._entry: Json = {}

    @property
    def last(self) -> Step:
        assert self._last is not None, "no step came yet"
        return self._last

    def until_step(self, number: int) -> Step | None:
        """The next step that is not before this one; None where the night ended before."""
        for line in self._lines:
            if self._told(line) and self.last.step >= number:
                return self.last
        return None

    def entry(self) -> Json:
        """The night's entry in the log, when it has ended."""
        for line in self._lines:
            self._told(line)
        assert self._entry, "the night ended without an entry"
        return self._entry

    def _told(self, line: Json) -> bool:
        """Whether the line tells of a step."""
        self._entry = line.get("night", self._entry)
        if (state := state_of(line)) != self._state:
            self._state = state
            self._log.say(f"state: {state}")
            self._came = time.monotonic()
        if not line.get("step"):
            return False
        now = time.monotonic()
        self._last = Step(
            step=line["step"],
            steps=line["steps"],
            loss=line["loss"],
            tokens=line["tokens"],
            seconds=now - self._came,
        )
        self._came = now
        self._log.say(
            f"step {self.last.step} of {self.last.steps}: loss {self.last.loss:.3f}, "
            f"{line['tokens_per_second']:.1f} tokens/s, {self.last.seconds:.1f} s"
        )
        return True


class Memory:
    """Peaks of the resident set of service and engine, and of what of it no file backs.

    Args:
        service: its process; set anew when it is another one.
    """

    EVERY_SECONDS = 0.5

    def __init__(self, service: int) -> None:
        self.service = service
        self._peaks: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def now(self, pid: int) -> int:
        """The resident set."""
        return _fields(pid).get("VmRSS", 0)

    def told(self) -> str:
        peaks = self._peaks
        return (
            f"peak memory: engine {peaks.get('engine VmHWM', 0) / 1e9:.2f} GB resident, of which "
            f"{peaks.get('engine RssAnon', 0) / 1e9:.2f} GB its own and the rest the mapped base; "
            f"service {peaks.get('service VmHWM', 0) / 1e6:.0f} MB"
        )

    def _look(self) -> None:
        while not self._ended.wait(self.EVERY_SECONDS):
            for pid in (self.service, *filter(is_engine, descendants(self.service))):
                name = "service" if pid == self.service else "engine"
                for kind, value in _fields(pid).items():
                    key = f"{name} {kind}"
                    self._peaks[key] = max(self._peaks.get(key, 0), value)


def _fields(pid: int) -> dict[str, int]:
    """Sizes in a process's status, in bytes; none of one that is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    rows = (line.split() for line in text.splitlines())
    return {row[0][:-1]: int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}


def seconds_until_rest(pid: int, began: float) -> float:
    """From then until the process computed for the last time; returns when it rests."""
    used, changed = cpu_seconds(pid), time.monotonic()
    while time.monotonic() - changed < REST_SECONDS:
        time.sleep(0.01)
        if (now := cpu_seconds(pid)) != used:
            used, changed = now, time.monotonic()
    return changed - began
