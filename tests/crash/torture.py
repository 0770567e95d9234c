"""Kills processes of a working nightloom at random moments, and looks what is left.

`python -m tests.crash.torture [KILLS] [SEED]` does it for as long as wanted; `test_torture.py` does
a few. While notes are written and collected, a night trains and a client asks, either the service
or its engine is killed with SIGKILL. Afterwards the vault has to open with everything that was
acknowledged, and the night has to end.
"""

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ipc.client import InferenceClient
from ipc.errors import IpcError
from storage.records import DocumentState
from tests.pipeline import tiny
from tests.pipeline.living import Nightloom, copied_home, entry_of, until

STAGES = ("waiting", "preparing", "training", "judging")
LONGEST_SECONDS = 2.0  # from the beginning of a stage to the kill
NOTES_A_ROUND = 10
QUESTION = [{"role": "user", "content": "Where is the keeper?"}]


@dataclass
class Toll:
    """What happened, for who wants to know."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)  # by who was killed, and at what
    acknowledged: int = 0


def torture(place: Nightloom, *, kills: int, seed: int) -> Toll:
    """Work and kill, in a home with notes whose service is stopped; it is stopped afterwards."""
    rng = random.Random(seed)
    toll = Toll(seed=seed)
    place.configure(tiny.configuration(passes=3, checkpoint_minutes=0.1))
    place.start()
    place.add_source(name="more")
    assert place.terminate() == 0
    for number in range(kills):
        place.start()
        with _at_work(place, first_note=1000 + NOTES_A_ROUND * number) as night:
            if rng.random() < 0.4:
                toll.kills[f"engine, {_at_some_moment(place, night, rng)}"] += 1
                _kill_engine(place)
            moment = _at_some_moment(place, night, rng)
            toll.acknowledged = max(toll.acknowledged, int(place.admin.status()["documents"]))
            toll.kills[f"service, {moment}"] += 1
            place.kill()
        _check(place, toll)
    _end_well(place, toll)
    return toll


def _at_some_moment(place: Nightloom, night: threading.Thread, rng: random.Random) -> str:
    """Wait for a stage of the night, or a later one, and then a while; what it is at then."""
    wanted = STAGES.index(rng.choice(STAGES))
    until(lambda: not night.is_alive() or STAGES.index(_stage(place)) >= wanted)
    time.sleep(rng.uniform(0.0, LONGEST_SECONDS))  # no condition: the moment is what is random
    return _stage(place)


def _stage(place: Nightloom) -> str:
    state = str(place.admin.status()["state"])
    return state if state in STAGES else STAGES[-1]


def _kill_engine(place: Nightloom) -> None:
    engine = place.engine_pid()
    if engine is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signal.SIGKILL)


@contextlib.contextmanager
def _at_work(place: Nightloom, *, first_note: int) -> Iterator[threading.Thread]:
    """A night (its thread), a client and somebody who writes, until the service is gone."""
    gone = threading.Event()

    def write() -> None:
        for number in range(first_note, first_note + NOTES_A_ROUND):
            place.write(f"more-{number}.md", tiny.note(number))
            if gone.wait(0.2):
                return

    def train() -> None:
        with contextlib.suppress(IpcError):
            for _ in place.admin.run_night():
                pass

    def ask() -> None:
        client = InferenceClient(place.home.api_socket)
        while not gone.wait(0.1):
            with contextlib.suppress(IpcError):
                for _ in client.chat(QUESTION, max_tokens=40):
                    pass

    threads = [threading.Thread(target=work) for work in (write, train, ask)]
    for thread in threads:
        thread.start()
    try:
        yield threads[1]
    finally:
        gone.set()
        for thread in threads:
            thread.join()


def _check(place: Nightloom, toll: Toll) -> None:
    """The vault of a dead service opens and holds what was acknowledged."""
    with place.open_vault() as vault:
        counts = vault.documents.counts()
        kept = sum(counts.values()) - counts[DocumentState.SUPERSEDED]
        assert kept >= toll.acknowledged, (toll, kept)
        assert vault.verify().intact, (toll, vault.verify())
        toll.acknowledged = kept


def _end_well(place: Nightloom, toll: Toll) -> None:
    """Left alone, it collects everything, ends the night and answers with its adapter."""
    place.start()
    place.admin.rescan()
    notes = sum(1 for _ in place.notes.iterdir())
    assert place.admin.status()["documents"] >= notes, toll
    entry = entry_of(place.admin.run_night())
    assert entry["state"] in ("done", "refused", "waiting"), (toll, entry["sentence"])
    assert place.ask("Where is the keeper?")
    until(lambda: place.admin.status()["state"] == "waiting")
    assert place.terminate() == 0
    _check(place, toll)


def main(kills: str = "100", seed: str | None = None) -> None:
    chosen = int(seed) if seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {chosen}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nl-base-") as folder:
        base = tiny.make_tiny_base(Path(folder))
        with tiny.home_with_notes(base) as template, copied_home(template) as place:
            print(torture(place, kills=int(kills), seed=chosen))


if __name__ == "__main__":
    main(*sys.argv[1:])
