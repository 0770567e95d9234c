"""What each base on this machine needs of its memory, and how many tokens a night makes of it."""

from collections.abc import Iterable, Iterator

from daemon.base_fit import SERVE_TOKENS, Fit, fit, usable_bytes
from daemon.bases import FoundBase
from daemon.cli import text
from daemon.cli.output import Json
from daemon.config import Config
from daemon.memory_reading import machine_bytes
from daemon.night_memory import compute_bytes
from trainer.errors import BaseError
from trainer.geometry import Geometry, read_geometry
from trainer.sizes import sizes_of
from trainer.speed import Speed

NONE: Json = {
    "serve_bytes": None, "serve_context_tokens": SERVE_TOKENS, "train_bytes": None,
    "serves_here": None, "trains_here": None, "training": None, "tokens_per_night": None,
    "problem_here": None,
}  # fmt: skip


def fits(
    bases: Iterable[FoundBase], config: Config, speed: Speed | None
) -> Iterator[tuple[str, Json]]:
    """By name, with stable keys; nothing is known of a base that cannot be used."""
    usable = usable_bytes(machine_bytes(), config.engine.memory_bytes)
    for base in bases:
        if base.facts is None:
            yield base.name, NONE
            continue
        try:
            geometry = read_geometry(base.folder)
        except BaseError:
            yield base.name, NONE
            continue
        sizes = sizes_of(config.night.recipe(), context_tokens=base.facts.context_tokens)
        found = fit(
            geometry, sizes, context_tokens=base.facts.context_tokens, usable_bytes=usable,
            compute_bytes=compute_bytes(),
        )  # fmt: skip
        yield base.name, shown(geometry, found, speed)


def shown(geometry: Geometry, found: Fit, speed: Speed | None) -> Json:
    """One base's answer."""
    plan = found.plan
    tokens = None
    if plan is not None and speed is not None:
        tokens = speed.tokens_per_night(geometry, plan)
    return {
        "serve_bytes": found.serve_bytes,
        "serve_context_tokens": SERVE_TOKENS,
        "train_bytes": found.train_bytes,
        "serves_here": found.serves,
        "trains_here": found.trains,
        "training": None if plan is None else plan.to_json(),
        "tokens_per_night": tokens,
        "problem_here": found.problem,
    }


def here(listed: Json) -> str:
    """`serves and trains`, `serves` or `too large`."""
    if listed["trains_here"] is None:
        return text.NOTHING
    if listed["trains_here"]:
        return "serves and trains"
    return "serves" if listed["serves_here"] else "too large"


def tokens(value: float | None) -> str:
    """Tokens of a night as one reads them: two digits count, the rest is noise."""
    if value is None:
        return text.NOTHING
    million = value / 1e6
    return f"{million:.0f} million" if million >= 10 else f"{million:.1f} million"


def explained() -> str:
    """What the columns mean."""
    return (
        f"To serve: with {text.count(SERVE_TOKENS)} tokens of context. A night: eight hours of "
        "training, as measured on this machine."
    )
