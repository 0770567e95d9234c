"""How much memory the service and a night with the chosen base take: MemoryHigh of the unit."""

from daemon.base_fit import Fit, fit, usable_bytes
from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.config import Config
from daemon.home import Home
from daemon.memory_reading import machine_bytes
from daemon.night_memory import compute_bytes
from trainer.geometry import read_geometry
from trainer.sizes import sizes_of

# The service stays below 200 MB while it collects; the children that read files and judge texts
# come on top. What a plan expects was never exceeded by a tenth in measurements of the trainer.
BESIDE_BYTES = 768_000_000
MARGIN = 1.15


def memory_high_bytes(home: Home, config: Config) -> int:
    """Raises `UnknownBase`, `BaseUnusable`, `BaseError`."""
    base = ChosenBase(Bases(home.bases), config.engine.base)
    context = base.facts().context_tokens
    found = fit(
        read_geometry(base.folder()),
        sizes_of(config.night.recipe(), context_tokens=context),
        context_tokens=context,
        usable_bytes=usable_bytes(machine_bytes(), config.engine.memory_bytes),
        compute_bytes=compute_bytes(),
    )
    return room_for(found)


def room_for(found: Fit) -> int:
    """For serving and, as planned, training; a night that needs less than planned is not held."""
    engine = max(found.serve_bytes, found.train_bytes or 0)
    return round(engine * MARGIN) + BESIDE_BYTES
