"""What a forgetting costs, in numbers that a person can weigh: pure."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from daemon.night_record import Record
from storage.adapter_withdrawal import KeptAdapter
from storage.exports import Export
from storage.forgetting_plan import ForgettingPlan

Json = dict[str, Any]


def cost(
    plan: ForgettingPlan,
    nights: Sequence[Record],
    *,
    most_seconds: float,
    exports: Iterable[Export] = (),
) -> Json:
    """The stable keys that `--json` prints.

    Args:
        nights: the log, newest first.
        exports: of the adapters that fall; nobody can take these back.
        most_seconds: that a night may take.
    """
    tokens, about = relearning(plan, nights, most_seconds=most_seconds)
    return {
        "items": len(plan.items),
        "documents": len(plan.documents),
        "adapters": [digest[:12] for digest in plan.fallen_digests],
        "adapter": _sha12(plan.serves_before),
        "adapter_then": _sha12(plan.serves),
        "queued_documents": len(plan.queued),
        "tokens_to_learn_again": tokens,
        "nights_to_learn_again": about,
        "exported": [
            {"adapter": one.sha256[:12], "at": one.at, "folder": one.folder} for one in exports
        ],
    }


def relearning(
    plan: ForgettingPlan, nights: Sequence[Record], *, most_seconds: float
) -> tuple[int, int | None]:
    """Tokens that the fallen adapters had learned beyond the one that serves then, and about how
    many nights these take again; None where no night has told its speed.
    """
    if not plan.queued:
        return 0, 0
    made_by = {digest[:12] for digest in _line(plan)}
    made = [night for night in nights if night.get("adapter") in made_by]
    tokens = sum(int(night["tokens"]) for night in made if night["state"] == "done")
    rates = [night["tokens_per_second"] for night in nights if night.get("tokens_per_second")]
    if not rates or not tokens:
        return tokens, None
    return tokens, max(1, math.ceil(tokens / (rates[0] * most_seconds)))


def _line(plan: ForgettingPlan) -> set[str]:
    """The fallen ones from the adapter in use up to the one that serves then."""
    fallen = {one.sha256: one for one in plan.fallen}
    line: set[str] = set()
    at = plan.serves_before
    while at is not None and at.sha256 in fallen and at.sha256 is not None:
        line.add(at.sha256)
        at = fallen.get(at.parent)
    return line


def _sha12(adapter: KeptAdapter | None) -> str | None:
    return None if adapter is None or adapter.sha256 is None else adapter.sha256[:12]
