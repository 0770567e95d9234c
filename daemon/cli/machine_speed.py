"""How fast this machine trains: as measured before, or measured now in a few seconds."""

import sys
from pathlib import Path

from daemon import kept_speed
from daemon.cli.bench_child import measured
from daemon.cli.output import Json
from trainer.speed import Speed


def machine_speed(bases: Path) -> Speed:
    """As it is kept beside the bases, or as it is measured now.

    Raises:
        BenchFailed, BenchDied
    """
    kept = kept_speed.load(bases, _conditions())
    return measure(bases)[0] if kept is None else kept


def measure(bases: Path) -> tuple[Speed, Json]:
    """The speed, kept beside the bases, and the facts about the machine it was found on.

    Raises:
        BenchFailed, BenchDied
    """
    print("Measuring how fast this machine learns; a few seconds ...", file=sys.stderr, flush=True)
    found = measured(["speed"])
    speed = Speed.from_json(found["speed"])
    kept_speed.keep(bases, _conditions(), speed)
    return speed, found["machine"]


def _conditions() -> kept_speed.Conditions:
    from daemon.cli.root import version

    return kept_speed.Conditions.here(version())
