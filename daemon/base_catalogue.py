"""Bases that are worth having, and which of them suits this machine's memory. Pure.

All are instruct models with an open licence and an architecture that we load. Ids, licences and
geometries are those of the model cards and configs on the hub (looked up in November 2026); no
revision is named, `base add` pins one. What is derived from a geometry is computed here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.base_fit import Fit, fit, usable_bytes
from trainer.geometry import Geometry
from trainer.sizes import PRESETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model on the hub."""

    repository: str
    licence: str
    context_tokens: int
    geometry: Geometry
    preferred: bool = False  # among those of about its size


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate on a machine."""

    candidate: Candidate
    fit: Fit
    recommended: bool  # at most one is


CATALOGUE = (
    Candidate(
        repository="Qwen/Qwen2.5-0.5B-Instruct",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=24, hidden=896, feed_forward=4864, heads=14, key_value_heads=2, head_size=64,
            vocabulary=151_936, tied=True, attention_bias=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="Qwen/Qwen2.5-1.5B-Instruct",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=28, hidden=1536, feed_forward=8960, heads=12, key_value_heads=2, head_size=128,
            vocabulary=151_936, tied=True, attention_bias=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="HuggingFaceTB/SmolLM2-1.7B-Instruct",
        licence="apache-2.0",
        context_tokens=8192,
        geometry=Geometry(
            layers=24, hidden=2048, feed_forward=8192, heads=32, key_value_heads=32, head_size=64,
            vocabulary=49_152, tied=True,
        ),
    ),
    Candidate(
        repository="Qwen/Qwen3-1.7B",
        licence="apache-2.0",
        context_tokens=40_960,
        geometry=Geometry(
            layers=28, hidden=2048, feed_forward=6144, heads=16, key_value_heads=8, head_size=128,
            vocabulary=151_936, tied=True, head_norms=True,
        ),
    ),
    Candidate(
        repository="Qwen/Qwen3-4B-Instruct-2507",
        licence="apache-2.0",
        context_tokens=262_144,
        geometry=Geometry(
            layers=36, hidden=2560, feed_forward=9728, heads=32, key_value_heads=8, head_size=128,
            vocabulary=151_936, tied=True, head_norms=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="mistralai/Mistral-7B-Instruct-v0.3",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=32, hidden=4096, feed_forward=14_336, heads=32, key_value_heads=8,
            head_size=128, vocabulary=32_768, tied=False,
        ),
    ),
    Candidate(
        repository="Qwen/Qwen2.5-7B-Instruct",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=28, hidden=3584, feed_forward=18_944, heads=28, key_value_heads=4,
            head_size=128, vocabulary=152_064, tied=False, attention_bias=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="Qwen/Qwen3-8B",
        licence="apache-2.0",
        context_tokens=40_960,
        geometry=Geometry(
            layers=36, hidden=4096, feed_forward=12_288, heads=32, key_value_heads=8,
            head_size=128, vocabulary=151_936, tied=False, head_norms=True,
        ),
    ),
)  # fmt: skip


def judged(
    machine_bytes: int, *, compute_bytes: int, catalogue: Iterable[Candidate] = CATALOGUE
) -> list[Judged]:
    """Every candidate on a machine with so much memory; recommended is the largest of the
    preferred ones that can be trained, with the preset `personal`.

    Args:
        compute_bytes: of a number, as that machine computes (`trainer.memory_terms`).
    """
    usable = usable_bytes(machine_bytes)
    fits = {
        one: fit(
            one.geometry, PRESETS["personal"], context_tokens=one.context_tokens,
            usable_bytes=usable, compute_bytes=compute_bytes,
        )
        for one in catalogue
    }  # fmt: skip
    possible = [one for one in fits if one.preferred and fits[one].trains]
    best = max(possible, key=lambda one: one.geometry.parameters, default=None)
    return [
        Judged(candidate=one, fit=found, recommended=one is best) for one, found in fits.items()
    ]
