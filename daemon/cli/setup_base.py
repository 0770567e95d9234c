"""The guide's second step: which base is trained on. Nothing is downloaded without a yes.

A base is added by `nightloom base add` in a process of its own: what measures this machine forbids
the network to this one.
"""

import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

import daemon
from daemon.cli import text
from daemon.cli.errors import SetupBaseNotAdded
from daemon.cli.output import Json, say
from daemon.cli.reaching import home
from daemon.cli.setup_guide import Guide

if TYPE_CHECKING:
    from trainer.speed import Speed

OTHER = "other"
HUB = "https://huggingface.co"
TOY = """\
`builtin` is a toy to try everything with, without a network. The larger a base, the more it can
say, and the less of your text a night learns with it."""
STOP_SECONDS = 5.0  # for an interrupted download to put itself away
ADD_COMMAND = (sys.executable, "-P", "-m", "daemon.cli", "base", "add")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A base that can be chosen."""

    name: str  # of a base that is here, or an id on the hub
    here: bool
    facts: Json  # of `base list`, or of `base list --recommended`
    download_bytes: int = 0
    licence: str = ""


def take(guide: Guide) -> bool:
    from daemon.config import load_config

    place = home()
    in_use = load_config(place.config_file).engine.base
    chosen_before = _is_written(place.config_file)
    if chosen_before and not guide.again:
        say(f"✓ Base {in_use} is the one in use. `nightloom setup base` chooses again.")
        return True
    offers = _offers(measured_speed(place.bases))
    say(_offers_text(offers, in_use))
    default = next((str(at) for at, one in enumerate(offers, 1) if one.name == in_use), "skip")
    numbers = [str(at) for at in range(1, len(offers) + 1)]
    chosen = guide.choose("Which base", [*numbers, OTHER, "skip"], default=default)
    if chosen == "skip":
        return chosen_before
    if chosen == OTHER:
        source = guide.line("A folder with a model, or OWNER/NAME on the hub (empty: none)")
        name = _added(guide, source, "") if source else None
    else:
        offer = offers[int(chosen) - 1]
        name = offer.name if offer.here else _added(guide, offer.name, _how_much(offer))
    if name is None:
        return chosen_before
    _use(guide, name, in_use)
    return True


# --------------------------------------------------------------------------- what there is


def _offers(speed: "Speed | None") -> list[Offer]:
    """The bases that are here and can be used, and the one recommended for this machine."""
    from daemon.base_catalogue import judged
    from daemon.bases import Bases
    from daemon.cli.base_fits import fits, shown
    from daemon.config import load_config
    from daemon.memory_reading import machine_bytes
    from daemon.night_memory import compute_bytes

    place = home()
    bases = [one for one in Bases(place.bases).all() if one.facts and one.problem is None]
    found = dict(fits(bases, load_config(place.config_file), speed))
    offers = [
        Offer(name=one.name, here=True, facts=found[one.name], licence=one.facts.licence or "")
        for one in bases
        if one.facts
    ]
    origins = {one.facts.origin for one in bases if one.facts}
    for one in judged(machine_bytes(), compute_bytes=compute_bytes()):
        candidate = one.candidate
        known = any(origin.startswith(f"hub:{candidate.repository}@") for origin in origins)
        if one.recommended and not known:
            offers.append(
                Offer(
                    name=candidate.repository,
                    here=False,
                    facts=shown(candidate.geometry, one.fit, speed)
                    | {"weights_bytes": candidate.geometry.weights_bytes},
                    download_bytes=candidate.geometry.full_bytes,
                    licence=candidate.licence,
                )
            )
    return offers


def measured_speed(bases: Path) -> "Speed | None":
    """How fast this machine learns, as kept or as measured now; None where it cannot be told."""
    from daemon.cli.errors import BenchDied, BenchFailed
    from daemon.cli.machine_speed import machine_speed

    try:
        return machine_speed(bases)
    except (BenchFailed, BenchDied) as error:
        say(f"· How fast this machine learns could not be measured. {error}")
        return None


def _offers_text(offers: Sequence[Offer], in_use: str) -> str:
    from daemon.cli import base_fits

    rows = [
        (
            str(at),
            text.value(one.name),
            text.value(one.licence or None),
            _where(one, in_use),
            base_fits.here(one.facts),
            base_fits.tokens(one.facts["tokens_per_night"]),
        )
        for at, one in enumerate(offers, 1)
    ]
    headings = ("", "base", "licence", "where", "on this machine", "tokens a night")
    said = [text.table(headings, [*rows, (OTHER, "a folder, or a model on the hub", *[""] * 4)])]
    if any(not one.here for one in offers):
        said.append("Recommended for this machine's memory is the last; all that are known to do:\n"
                    "`nightloom base list --recommended`.")  # fmt: skip
    said.append(TOY)
    return "\n".join(said)


def _where(offer: Offer, in_use: str) -> str:
    if offer.name == in_use:
        return "here, in use"
    return "here" if offer.here else f"to download, {text.size(offer.download_bytes)}"


def _how_much(offer: Offer) -> str:
    kept = text.size(offer.facts["weights_bytes"])
    return f" It downloads about {text.size(offer.download_bytes)} and keeps {kept}."


def _is_written(config_file: Path) -> bool:
    """Whether somebody chose a base; without a choice it is the built-in one."""
    with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        section = tomllib.loads(config_file.read_text("utf-8")).get("engine")
        return isinstance(section, dict) and "base" in section
    return False


# --------------------------------------------------------------------------- adding, using


def _added(guide: Guide, source: str, how_much: str) -> str | None:
    """Adds a base; its name, or None if the person would rather not.

    Raises `SetupBaseNotAdded`, `AddingError`.
    """
    from daemon.adding.names import FromHub, base_name, read_source

    given = read_source(source)
    if isinstance(given, FromHub):
        host = urlsplit(guide.environment.get("HF_ENDPOINT") or HUB).netloc
        question = f"This asks {host} over the network; nothing of yours is sent.{how_much} Do it?"
        if not guide.confirm(question, default=False):
            return None
    name = base_name(None, given.label)
    place = str(given.path) if not isinstance(given, FromHub) else source
    if _run([*ADD_COMMAND, place, "--name", name], guide.environment):
        raise SetupBaseNotAdded
    return name


def _run(words: Sequence[str], environment: dict[str, str]) -> int:
    """On this terminal, and with its Ctrl-C; the exit code."""
    code = str(Path(daemon.__file__).parents[1])  # the child runs the same code, from anywhere
    child = subprocess.Popen(words, env=environment | {"PYTHONPATH": code})
    try:
        return child.wait()
    except BaseException:
        _end(child)
        raise


def _end(child: "subprocess.Popen[bytes]") -> None:
    """It had the terminal's Ctrl-C itself; a signal that was sent to the guide alone it had not."""
    for number in (None, signal.SIGINT, signal.SIGKILL):
        if number is not None:
            child.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
            return


def _use(guide: Guide, name: str, in_use: str) -> None:
    from daemon.cli.base_changes import configure, use

    guide.stop_own_service()  # it has the base that was in use when it started
    if name == in_use:
        configure(home().config_file, name)
        say(f"✓ Base {name} is the one in use.")
    else:
        click.get_current_context().invoke(use, name=name)
