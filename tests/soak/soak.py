"""Uses a real service for as long as wanted, well and badly, and looks whether its memory grows.

`python -m tests.soak.soak [--requests N] [--minutes M]` is `make soak`: on the built-in base with
two adapters, first many short requests in a row, then clients of every kind at once. Memory is
compared at rest, with what was held after a warm-up that fills what is kept of prompts. Nothing may
fail, the engine must be the same process in the end, and neither may have grown by 5 %.
"""

import argparse
import csv
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon.serving_bench.published import publish_all
from tests.pipeline.living import Nightloom, new_home, until
from tests.soak.clients import KINDS, Client, outcome
from tests.soak.memory import Look, Memory, Rest, too_much
from trainer.bench.sides import Side
from trainer.builtin_base import BUILTIN_BASE

CLIENTS = 6
ADAPTERS = 2
FILL_WORDS, FILLS = 700, 32  # beyond what is kept of prompts for the built-in base
WARM_UP_SHARE = 0.2  # of the minutes: what is kept and counted is at its bounds then
SHORTEST_WARM_UP = 600  # requests of clients of every kind: all of it was done, in all lengths
REST_SECONDS = 3.0
CONFIG = '[engine]\nbase = "builtin"\nidle_minutes = 600\n'
COLUMNS = ("seconds", "service_bytes", "engine_bytes")

Tell = Callable[[str], None]


@dataclass
class Phase:
    """What was asked in it, and what both processes held when it was over."""

    name: str
    seconds: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)  # kind and what was wrong
    rest: Rest | None = None
    engine: int | None = None  # its process

    @property
    def requests(self) -> int:
        return self.asked.total()


class Soak:
    """One service; `client` makes a program that uses it."""

    def __init__(self, place: Nightloom, adapters: Sequence[str], seed: int, tell: Tell) -> None:
        self._place, self._adapters, self._tell = place, adapters, tell
        self._seeds = random.Random(seed)
        self._noting = threading.Lock()
        self.phases: list[Phase] = []

    def client(self) -> Client:
        return Client(
            api=self._place.home.api_socket,
            admin=self._place.admin,
            rng=random.Random(self._seeds.random()),
            adapters=self._adapters,
        )

    def warm_up(self, memory: Memory, seconds: float) -> None:
        phase = self._begin("warm-up")
        client = self.client()
        self._note(phase, "answer", client.answer())  # the engine starts
        for _ in range(FILLS):
            self._note(phase, "fills", outcome(lambda one: one.fills(FILL_WORDS), client))
        self._mix(phase, seconds, at_least=phase.requests + SHORTEST_WARM_UP)
        self._end(phase, memory)

    def in_a_row(self, memory: Memory, requests: int) -> None:
        phase = self._begin(f"{requests:,} in a row")
        client = self.client()
        for number in range(requests):
            self._note(phase, "short", outcome(Client.short, client))
            if (number + 1) % 1000 == 0:
                self._tell(f"{number + 1:,} short requests")
        self._end(phase, memory)

    def mixed(self, memory: Memory, seconds: float) -> None:
        phase = self._begin("mixed")
        self._mix(phase, seconds)
        self._end(phase, memory)

    def _mix(self, phase: Phase, seconds: float, at_least: int = 0) -> None:
        end = time.monotonic() + seconds

        def goes_on() -> bool:
            return time.monotonic() < end or phase.requests < at_least

        threads = [
            threading.Thread(target=self._use, args=(phase, self.client(), goes_on))
            for _ in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _use(self, phase: Phase, client: Client, goes_on: Callable[[], bool]) -> None:
        names = list(KINDS)
        weights = [KINDS[name][1] for name in names]
        while goes_on():
            (name,) = client.rng.choices(names, weights)
            self._note(phase, name, outcome(KINDS[name][0], client))

    def _begin(self, name: str) -> Phase:
        phase = Phase(name=name, seconds=-time.monotonic())
        self.phases.append(phase)
        self._tell(f"{name} begins")
        return phase

    def _end(self, phase: Phase, memory: Memory) -> None:
        phase.seconds += time.monotonic()
        until(lambda: self._place.admin.status()["engine"] == "serving")
        phase.rest = memory.at_rest(REST_SECONDS)
        phase.engine = self._place.engine_pid()
        self._tell(
            f"{phase.name}: {phase.requests:,} requests in {phase.seconds:.0f} s, "
            f"{phase.failed.total()} failed"
        )

    def _note(self, phase: Phase, name: str, wrong: str) -> None:
        with self._noting:
            phase.asked[name] += 1
            if wrong:
                phase.failed[f"{name}: {wrong}"] += 1


# --------------------------------------------------------------------------- what came of it, pure


def faults(phases: Sequence[Phase]) -> list[str]:
    """What must not be; nothing where all is well."""
    first = phases[0]
    found = [
        f"{phase.name}: {what}, {count} times"
        for phase in phases
        for what, count in sorted(phase.failed.items())
    ]
    for phase in phases[1:]:
        assert phase.rest is not None
        assert first.rest is not None
        growth = phase.rest.growth(first.rest)
        found += [
            f"{phase.name}: the {name} grew by {growth[name]:.1%}" for name in too_much(growth)
        ]
        if phase.engine != first.engine:
            found.append(f"{phase.name}: the engine is another process")
    return found


def table(phases: Sequence[Phase]) -> list[str]:
    """A line for each phase."""
    lines = [f"{'':>15} requests  failed  seconds  service MB   grown  engine MB   grown"]
    for phase in phases:
        assert phase.rest is not None
        assert phases[0].rest is not None
        growth = phase.rest.growth(phases[0].rest)
        lines.append(
            f"{phase.name:>15} {phase.requests:8,} {phase.failed.total():7,} {phase.seconds:8.0f} "
            f"{phase.rest.service / 1e6:11.1f} {growth['service']:+7.1%} "
            f"{phase.rest.engine / 1e6:10.1f} {growth['engine']:+7.1%}"
        )
    asked = sum((phase.asked for phase in phases), Counter[str]())
    lines.append(
        "asked: " + ", ".join(f"{count:,} {kind}" for kind, count in sorted(asked.items()))
    )
    return lines


def write_log(path: Path, looks: Sequence[Look]) -> None:
    """All looks at the memory, as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="ascii") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows((f"{look.seconds:.1f}", look.service, look.engine) for look in looks)


# --------------------------------------------------------------------------- on the built-in base


def soak(
    *, requests: int, minutes: float, seed: int, log: Path | None = None, tell: Tell
) -> list[Phase]:
    with new_home() as place:
        place.configure(CONFIG)
        place.make_vault()
        adapters = publish_adapters(place)
        place.start()
        using = Soak(place, adapters, seed, tell)
        with Memory(service=place.pid, engine=place.engine_pid) as memory:
            try:
                using.warm_up(memory, WARM_UP_SHARE * 60 * minutes)
                using.in_a_row(memory, requests)
                using.mixed(memory, 60 * minutes)
            finally:
                if log is not None:
                    write_log(log, memory.looks)
        if place.terminate() != 0:
            using.phases[-1].failed["the service: did not end well"] += 1
    return using.phases


def publish_adapters(place: Nightloom) -> list[str]:
    with Side("the adapters", "trainer.bench.serving_side", (str(BUILTIN_BASE),)) as maker:
        made = maker.ask("adapters", into=str(place.root), count=ADAPTERS)
    with place.open_vault() as vault:
        return publish_all(vault, made["base"], [Path(path) for path in made["paths"]])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000, help="short ones, in a row")
    parser.add_argument("--minutes", type=float, default=30.0, help="of clients of every kind")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--log", type=Path, help="where the looks at the memory go, as CSV")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    phases = soak(**vars(given), tell=lambda line: print(line, file=sys.stderr, flush=True))
    print("\n".join(table(phases)))
    wrong = faults(phases)
    print("\n".join(wrong) or "nothing failed, and nothing grew")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
