"""`nightloom doctor`: what this machine can do, what is in the way, and what to do about it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.audit import findings_table
from daemon.cli.exits import ExitCode
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration, home
from ipc.errors import IpcError

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.home import Home

MARKS = {True: "✓", False: "✗", None: "·"}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Show what this machine can do, which bases fit, and what is in the way.

    Measures for some seconds how fast it trains; needs no running service. Fails if something
    wants doing; what others could read of this machine's memory and disks is a warning.
    """
    answer = _examined(home())
    show(answer, as_json, _doctor_text)
    if any(found["holds"] is False for found in answer["findings"]):
        context.exit(ExitCode.FAILED)


def _examined(place: "Home") -> Json:
    from daemon.bases import Bases
    from daemon.cli.base_fits import NONE, fits
    from daemon.cli.machine_speed import measure
    from daemon.cli.service_status import from_service
    from daemon.conditions.host_facts import night_findings, read_host_facts
    from daemon.doctor import Readings, findings
    from daemon.host_checks import examine_machine
    from daemon.memory_reading import available_bytes, machine_bytes
    from trainer.cpu_features import multiplies_bf16, name

    config, mistakes = _configuration(place.config_file)
    speed, machine = measure(place.bases)
    bases = Bases(place.bases).all()
    found = dict(fits(bases, config, speed))
    in_use = found.get(config.engine.base, NONE)
    problems = {base.name: base.problem for base in bases}
    read = Readings(
        mistakes=mistakes,
        vault=place.vault_exists(),
        serving=_serving(),
        processor=name(),
        bf16=multiplies_bf16(),
        kernels=machine["kernels"],
        threads=machine["threads"],
        memory_bytes=machine_bytes(),
        free_bytes=available_bytes(),
        disk_free_bytes=shutil.disk_usage(_existing(place.vault)).free,
        base=config.engine.base,
        base_problem=problems.get(config.engine.base, "There is no such base; "
                                  "`nightloom base list` shows those that are there.")
        or in_use["problem_here"],
        tokens_per_night=in_use["tokens_per_night"],
    )  # fmt: skip
    return {
        "findings": [finding.to_json() for finding in findings(read)],
        "host": [finding.to_json() for finding in examine_machine(place)],
        "nights": [finding.to_json() for finding in night_findings(read_host_facts())],
        "service": from_service(),
        "bases": [{"name": name} | one for name, one in found.items()],
        "machine": machine,
    }


def _configuration(path: Path) -> tuple["Config", str | None]:
    """The configuration, or the defaults and what is wrong with it."""
    from daemon.config import Config, load_config
    from daemon.errors import ConfigError

    try:
        return load_config(path), None
    except ConfigError as error:
        return Config(), str(error)


def _serving() -> bool:
    try:
        with administration() as service:
            service.status()
    except IpcError:
        return False
    return True


def _existing(folder: Path) -> Path:
    """The nearest folder above it that is there."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _doctor_text(answer: Json) -> str:
    from daemon.cli import base_fits
    from daemon.cli.service_status import confinement_text

    rows = [
        (
            MARKS[found["holds"]],
            text.value(found["name"]),
            text.value(found["value"]),
            text.value(found["advice"]),
        )
        for found in answer["findings"]
    ]
    bases = [
        (
            text.value(one["name"]),
            text.size(one["serve_bytes"]),
            text.size(one["train_bytes"]),
            base_fits.here(one),
            base_fits.tokens(one["tokens_per_night"]),
        )
        for one in answer["bases"]
    ]
    headings = ("base", "to serve", "to train", "here", "tokens a night")
    return "\n\n".join(
        [
            text.table(("", "what", "is", "what to do"), rows),
            findings_table("privacy", answer["host"]),
            findings_table("nights", answer["nights"]),
            confinement_text(answer["service"]),
            text.table(headings, bases, right=" rr r"),
            base_fits.explained(),
        ]
    )
