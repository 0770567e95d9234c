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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import openai

from daemon.home import Home
from ipc.client import AdminClient
from ipc.errors import IpcError
from storage.records import DocumentState
from tests.pipeline import tiny
from tests.pipeline.living import Nightloom, copied_home, entry_of, until

LONGEST_SECONDS = 4.0  # from the start of the work to the kill
NOTES_A_ROUND = 40


@dataclass
class Toll:
    """What happened, for who wants to know."""

    seed: int
    kills: dict[str, int] = field(default_factory=lambda: {"service": 0, "engine": 0})
    acknowledged: int = 0


def torture(place: Nightloom, *, kills: int, seed: int) -> Toll:
    """Work and kill, in a home with notes whose service is stopped; it is stopped afterwards."""
    rng = random.Random(seed)
    toll = Toll(seed=seed)
    place.configure(tiny.configuration(passes=4, checkpoint_minutes=0.1))
    place.start()
    place.add_source(name="more")
    assert place.terminate() == 0
    for number in range(kills):
        victim = rng.choices(["service", "engine"], weights=[3, 2])[0]
        place.start()
        with _at_work(place, first_note=1000 + NOTES_A_ROUND * number):
            time.sleep(rng.uniform(0.0, LONGEST_SECONDS))  # the moment is what is random
            toll.acknowledged = max(toll.acknowledged, int(place.admin.status()["documents"]))
            toll.kills[victim] += _kill_engine(place) if victim == "engine" else 1
            if victim == "engine":
                time.sleep(rng.uniform(0.0, LONGEST_SECONDS))
            place.kill()
        _check(place, toll)
    _end_well(place, toll)
    return toll


def _kill_engine(place: Nightloom) -> int:
    engine = place.engine_pid()
    if engine is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signal.SIGKILL)
            return 1
    return 0


@contextlib.contextmanager
def _at_work(place: Nightloom, *, first_note: int) -> Iterator[None]:
    """A night, a client and somebody who writes, until the service is gone."""
    gone = threading.Event()

    def write() -> None:
        for number in range(first_note, first_note + NOTES_A_ROUND):
            place.write(f"more-{number}.md", tiny.note(number))
            if gone.wait(0.05):
                return

    def train() -> None:
        with contextlib.suppress(IpcError):
            for _ in AdminClient(Home.under(place.home_folder).admin_socket).run_night():
                pass

    def ask() -> None:
        while not gone.is_set():
            with contextlib.suppress(openai.APIError):
                place.ask("Where is the keeper?", max_tokens=40)
            gone.wait(0.1)

    threads = [threading.Thread(target=work) for work in (write, train, ask)]
    for thread in threads:
        thread.start()
    try:
        yield
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
    assert entry["state"] in ("done", "waiting"), (toll, entry["sentence"])
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
