"""What `nightloom base list --recommended` shows: the catalogue, held against this machine."""

from typing import Any

from daemon.base_catalogue import Judged, judged
from daemon.bases import Bases
from daemon.cli import base_fits, text
from daemon.cli.machine_speed import machine_speed
from daemon.cli.output import Json
from daemon.cli.reaching import home
from daemon.memory_reading import machine_bytes
from daemon.night_memory import compute_bytes
from trainer.speed import Speed


def recommendations() -> Json:
    """The answer with stable keys; needs no service."""
    memory = machine_bytes()
    added = {
        base.facts.origin.removeprefix("hub:").partition("@")[0]: base.name
        for base in Bases(home().bases).all()
        if base.facts and base.facts.origin.startswith("hub:")
    }
    speed = machine_speed(home().bases)
    found = judged(memory, compute_bytes=compute_bytes())
    return {"machine_bytes": memory, "bases": [_shown(one, speed, added) for one in found]}


def _shown(one: Judged, speed: Speed, added: dict[str, str]) -> dict[str, Any]:
    candidate, geometry = one.candidate, one.candidate.geometry
    return {
        "id": candidate.repository,
        "licence": candidate.licence,
        "parameters": geometry.parameters,
        "context_tokens": candidate.context_tokens,
        "download_bytes": geometry.full_bytes,
        "weights_bytes": geometry.weights_bytes,
        **base_fits.shown(geometry, one.fit, speed),
        "recommended": one.recommended,
        "added_as": added.get(candidate.repository),
    }


def recommended_text(answer: Json) -> str:
    rows = [
        (
            "*" if listed["recommended"] else "",
            listed["id"],
            listed["licence"],
            f"{listed['parameters'] / 1e9:.1f} billion",
            text.count(listed["context_tokens"]),
            text.size(listed["download_bytes"]),
            text.size(listed["weights_bytes"]),
            text.size(listed["serve_bytes"]),
            text.size(listed["train_bytes"]),
            _fits(listed),
            base_fits.tokens(listed["tokens_per_night"]),
        )
        for listed in answer["bases"]
    ]
    headings = (
        "", "id", "licence", "parameters", "context", "download", "4-bit", "to serve", "to train",
        "here", "tokens a night",
    )  # fmt: skip
    table = text.table(headings, rows, right="   rrrrrr r")
    return f"{table}\n\n{_advice(answer)}"


def _fits(listed: Json) -> str:
    if listed["added_as"]:
        return f"added as {text.value(listed['added_as'])}"
    return base_fits.here(listed)


def _advice(answer: Json) -> str:
    memory = text.size(answer["machine_bytes"])
    estimates = f"{base_fits.explained()} This machine has {memory}."
    best = next((one["id"] for one in answer["bases"] if one["recommended"]), None)
    if best is None:
        return f"{estimates}\nNone of these can be trained here; the built-in base can."
    return f"{estimates}\nRecommended here: `nightloom base add {best}`."
