"""The guide's last step: what a night here will do."""

import os
from typing import TYPE_CHECKING

from daemon.cli.output import say
from daemon.cli.reaching import home
from daemon.cli.setup_guide import Guide
from daemon.cli.setup_outlook import (
    Outlook,
    finding_rows,
    heat_line,
    night_seconds,
    outlook_lines,
    when_line,
)

if TYPE_CHECKING:
    from daemon.config import Config


def take(guide: Guide) -> bool:
    from daemon.conditions.host_facts import night_findings, read_host_facts
    from daemon.config import load_config

    config = load_config(home().config_file)
    lines = outlook_lines(_outlook(guide, config))
    threads = config.engine.threads or os.cpu_count() or 1
    facts = read_host_facts()
    pauses_at = None if facts.sensor is False else config.conditions.max_celsius
    say("\n".join([*lines, heat_line(threads, pauses_at), when_line(config)]))
    if rows := finding_rows(night_findings(facts)):
        say("\n" + "\n".join(rows))
    return True


# --------------------------------------------------------------------------- what is known


def _outlook(guide: Guide, config: "Config") -> Outlook:
    from daemon.bases import Bases
    from daemon.cli.base_fits import NONE, fits
    from daemon.cli.setup_base import measured_speed
    from daemon.night_bounds import PASSES
    from daemon.night_planning import WITH_OLDER_TEXT
    from trainer.speed import NIGHT_SECONDS

    place = home()
    found = dict(fits(Bases(place.bases).all(), config, measured_speed(place.bases)))
    tokens = found.get(config.engine.base, NONE)["tokens_per_night"]
    waiting, enough = _waiting(guide)
    return Outlook(
        night_seconds=night_seconds(config),
        tokens_per_second=None if tokens is None else tokens / NIGHT_SECONDS,
        passes=config.night.passes or PASSES,
        older=WITH_OLDER_TEXT,
        waiting_tokens=waiting,
        enough=enough,
    )


def _waiting(guide: Guide) -> tuple[int | None, bool]:
    """Tokens of new text, and whether they are enough for a night."""
    if not home().vault_exists():
        return None, False
    with guide.service() as service:
        answer = service.preview()
    return int(answer["about_tokens"]), bool(answer["enough"])
