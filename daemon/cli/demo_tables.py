"""The demo's two tables: the answers side by side, and what the night cost and brought.

Pure: values in, rich tables out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from daemon.cli import text
from daemon.cli.demo_questions import MODELS, Answers

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that the closing table tells."""

    night: Json  # the entry of the night's log
    documents: int | None  # collected
    stage_seconds: Mapping[str, float]  # the demo's own stages and the night's, in order
    total_seconds: float
    peak_bytes: int | None  # of all processes together


def answers_table(answers: Sequence[Answers]) -> Table:
    """One row a question; beginnings are set apart from questions."""
    table = Table(title="The same words to both", title_justify="left", show_lines=True)
    table.add_column("asked", ratio=2)
    for model in MODELS:
        table.add_column(model, ratio=3)
    for answer in answers:
        question = answer.question
        mark = " …" if question.is_beginning else ""
        cells = [Text(text.printable(answer.by_model[model])) for model in MODELS]
        table.add_row(Text(question.words + mark, style="bold"), *cells)
    return table


def outcome_table(outcome: Outcome) -> Table:
    """Names and values."""
    table = Table(title="What the night did", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, shown in outcome_lines(outcome):
        table.add_row(name, Text(shown))
    return table


def outcome_lines(outcome: Outcome) -> list[tuple[str, str]]:
    """The closing table, line by line."""
    night = outcome.night
    stages = ", ".join(
        f"{stage} {text.duration(seconds)}" for stage, seconds in outcome.stage_seconds.items()
    )
    return [
        (
            "documents",
            f"{text.count(outcome.documents)} collected, "
            f"{text.count(night.get('documents'))} trained on",
        ),
        ("tokens trained", text.count(night.get("tokens"))),
        ("tokens/s", text.count(night.get("tokens_per_second"))),
        ("held-out loss", _held_out(night)),
        (
            "held-out perplexity",
            _from_to(night, "held_out_perplexity_before", "held_out_perplexity_after", digits=2),
        ),
        ("general loss", _general(night)),
        ("verdict", _verdict(night)),
        ("adapter", text.short(night.get("adapter"))),
        ("peak memory, all processes", text.size(outcome.peak_bytes)),
        ("seconds per stage", stages or text.NOTHING),
        ("total", text.duration(outcome.total_seconds)),
    ]


def _held_out(night: Json) -> str:
    """Relative fall and its interval, both as changes: a fall of 0.16 is -16 %."""
    said = _from_to(night, "held_out_loss_before", "held_out_loss_after")
    low, high = night.get("held_out_gain_low"), night.get("held_out_gain_high")
    change = text.change(night.get("held_out_loss_before"), night.get("held_out_loss_after"))
    if low is None or high is None:
        return f"{said}  ({change})"
    return f"{said}  ({change}, 95 % interval {-100 * high:+.1f} to {-100 * low:+.1f} %)"


def _general(night: Json) -> str:
    said = _from_to(night, "general_loss_before", "general_loss_after")
    change = text.change(night.get("general_loss_before"), night.get("general_loss_after"))
    return f"{said}  ({change})"


def _verdict(night: Json) -> str:
    verdict = text.value(night.get("verdict") or night.get("state"))
    why = night.get("sentence") or night.get("reason")
    return f"{verdict}: {text.value(why)}" if why else verdict


def _from_to(night: Json, before: str, after: str, *, digits: int = 3) -> str:
    return f"{text.number(night.get(before), digits)} → {text.number(night.get(after), digits)}"
