"""Texts in, facts out: each is judged alone as it comes, and all together at the end.

Of a text only hashes are kept, so memory grows with the number of documents and not with their
length. Knows nothing of rows and nights.
"""

from dataclasses import dataclass
from itertools import chain

from trainer.curation_facts import BOILERPLATE, NEAR_DUPLICATE, GivenText, TextFacts
from trainer.judged_text import judged
from trainer.language import language
from trainer.near_duplicates import Signature, signature, twins
from trainer.overlap import (
    Outline,
    boilerplate,
    families,
    outline,
    related,
    shared_share,
    words_by_line,
)
from trainer.quality import quality, reason_against, without_shared

MOSTLY_SHARED = 0.8  # of a text that stands in many others, from which on it teaches nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alone:
    """What is known of one text without the others."""

    settled: bool
    modified_at: float
    language: str
    quality: float
    reason: str | None
    signature: Signature | None = None  # None: it is left out, so nothing is compared with it
    outline: Outline | None = None


class FactFinding:
    """Take every text with `add`, then ask for `facts` once."""

    def __init__(self) -> None:
        self._alone: dict[int, _Alone] = {}

    def add(self, given: GivenText) -> None:
        seen = judged(given.text, own=given.own, turns=given.turns, about=given.about)
        reason = reason_against(seen)
        compared = given.settled or reason is None
        lines = words_by_line(_told(given)) if compared else []
        self._alone[given.document_id] = _Alone(
            settled=given.settled,
            modified_at=given.modified_at,
            language=language(seen.own_text or seen.text),
            quality=quality(seen),
            reason=reason,
            signature=signature(list(chain.from_iterable(lines))) if compared else None,
            outline=outline(lines) if compared else None,
        )

    def facts(self) -> list[TextFacts]:
        """The facts of all texts, in the order in which they came."""
        twin_of = self._twins()
        outlines = {
            number: alone.outline
            for number, alone in self._alone.items()
            if alone.outline is not None and number not in twin_of
        }
        common = boilerplate(outlines.values())
        shares = {number: shared_share(each, common) for number, each in outlines.items()}
        family = families(self._alone, [*related(outlines, common), *twin_of.items()])
        return [
            TextFacts(
                document_id=number,
                language=alone.language,
                quality=round(without_shared(alone.quality, shares.get(number, 0.0)), 3),
                reason=_reason(alone, number in twin_of, shares.get(number, 0.0)),
                twin_of=twin_of.get(number),
                family=family[number],
            )
            for number, alone in self._alone.items()
        ]

    def _twins(self) -> dict[int, int]:
        """What was learned stays, then the newest; two that were learned are no twins."""
        compared = [
            (number, alone.signature, alone)
            for number, alone in self._alone.items()
            if alone.signature is not None
        ]
        compared.sort(key=lambda one: (one[2].settled, one[2].modified_at, one[0]), reverse=True)
        found = twins((number, own) for number, own, _ in compared)
        return {number: twin for number, twin in found.items() if not self._alone[number].settled}


def _told(given: GivenText) -> str:
    """What is compared: in a conversation what the user said, for others may be answered twice."""
    own = [given.text[turn.start : turn.end] for turn in given.turns if turn.own]
    return "\n".join(own) if own else given.text


def _reason(alone: _Alone, is_twin: bool, shared: float) -> str | None:
    if alone.reason is not None:
        return alone.reason
    if is_twin:
        return NEAR_DUPLICATE
    return BOILERPLATE if shared >= MOSTLY_SHARED else None
