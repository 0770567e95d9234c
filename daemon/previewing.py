"""What tonight would do with each new document, as `nightloom privacy preview` shows it: pure.

Never the text itself. Which of the new documents will judge is drawn when the night begins; those
that may are shown among what is learned.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from daemon.night_planning import PlanPolicy, TooLittle, about_tokens, why_waiting
from daemon.night_preparing import Foreseen
from trainer.curation_facts import TextFacts

Json = dict[str, Any]

LEARNED, READ, WAITS = "learned", "read", "waits"  # what becomes of a document tonight


def with_facts(documents: Iterable[Json], facts: Mapping[int, TextFacts]) -> list[Json]:
    """Documents with what is known of each; nothing is known of one that came just now."""
    return [one | _facts(facts.get(one["document"])) for one in documents]


def _facts(known: TextFacts | None) -> Json:
    if known is None:
        return {"language": None, "quality": None, "left_out": None, "twin_of": None}
    return {
        "language": known.language,
        "quality": round(known.quality, 2),
        "left_out": known.reason,
        "twin_of": known.twin_of,
    }


def totals(documents: Iterable[Json]) -> Json:
    """How many are left out, by reason."""
    reasons = Counter(one["left_out"] for one in documents if one["left_out"] is not None)
    return {"left_out": dict(sorted(reasons.items()))}


def with_plan(documents: Iterable[Json], foreseen: Foreseen) -> list[Json]:
    """Documents with what becomes of each tonight, and why it waits if it does."""
    known = {one.document_id: one for one in foreseen.waiting}
    why = why_waiting(foreseen.waiting, foreseen.plan)
    shown = []
    for one in documents:
        waiting = known.get(one["document"])
        if waiting is None:  # it came in the meantime
            continue
        reason = why.get(waiting.document_id)
        becomes = LEARNED if waiting.own else READ
        shown.append(
            one
            | {
                "own": waiting.own,
                "new_characters": waiting.characters,
                "tonight": becomes if reason is None else WAITS,
                "waits_for": reason if waiting.left_out is None else None,
            }
        )
    return shown


def tonight(shown: Sequence[Json], foreseen: Foreseen, policy: PlanPolicy) -> Json:
    """Whether there is enough, and how much of it tonight takes."""
    lack = foreseen.plan if isinstance(foreseen.plan, TooLittle) else None
    wanted = [one for one in shown if one["own"] and one["left_out"] is None]
    learned = [one for one in shown if one["tonight"] == LEARNED]
    waiting = Counter(one["waits_for"] for one in shown if one["waits_for"] is not None)
    return {
        "about_tokens": about_tokens(sum(one["new_characters"] for one in wanted)),
        "minimum_tokens": policy.minimum_tokens,
        "minimum_documents": policy.minimum_documents,
        "enough": lack is None,
        "missing_tokens": lack.missing_tokens if lack else 0,
        "missing_documents": lack.missing_documents if lack else 0,
        "sentence": lack.sentence if lack else None,
        "tonight_documents": len(learned),
        "tonight_tokens": about_tokens(sum(one["new_characters"] for one in learned)),
        "reading_documents": sum(one["tonight"] == READ for one in shown),
        "waiting": dict(sorted(waiting.items())),
    }
