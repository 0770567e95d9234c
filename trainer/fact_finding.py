"""Texts in, facts out: each is judged alone as it comes, and all together at the end.

Of a text only hashes are kept, so memory grows with the number of documents and not with their
length. Knows nothing of rows and nights.
"""

from dataclasses import replace
from itertools import chain

from trainer.curation_facts import BOILERPLATE, NEAR_DUPLICATE, GivenText, TextFacts
from trainer.judged_text import judged
from trainer.language import language
from trainer.near_duplicates import signature, twins
from trainer.overlap import (
    boilerplate,
    families,
    outline,
    related,
    shared_shares,
    words_by_line,
)
from trainer.quality import quality, reason_against, without_shared
from trainer.shared_lines import MOSTLY_SHARED
from trainer.text_notes import Alone


class FactFinding:
    """Take every text with `add`, or its note with `add_noted`, then ask for `facts`."""

    def __init__(self) -> None:
        self._alone: dict[int, Alone] = {}
        self._settled: set[int] = set()

    def add(self, given: GivenText) -> Alone:
        """What is known of it now; worth keeping for `add_noted` (see `text_notes.py`)."""
        seen = judged(given.text, own=given.own, turns=given.turns, about=given.about)
        reason = reason_against(seen)
        compared = given.settled or reason is None
        lines = words_by_line(_told(given)) if compared else []
        alone = Alone(
            modified_at=given.modified_at,
            language=language(seen.own_text or seen.text),
            quality=quality(seen),
            reason=reason,
            signature=signature(list(chain.from_iterable(lines))) if compared else None,
            outline=outline(lines) if compared else None,
        )
        self.add_noted(given.document_id, alone, settled=given.settled)
        return alone

    def add_noted(self, document_id: int, alone: Alone, *, settled: bool) -> None:
        """A text that was read before. One that is settled must have been compared then."""
        compared = settled or alone.reason is None
        if not compared:
            alone = replace(alone, signature=None, outline=None)
        self._alone[document_id] = alone
        if settled:
            self._settled.add(document_id)

    def facts(self) -> list[TextFacts]:
        """The facts of all texts, by their number."""
        self._alone = dict(sorted(self._alone.items()))  # so that only what is known counts
        twin_of = self._twins()
        outlines = {
            number: alone.outline
            for number, alone in self._alone.items()
            if alone.outline is not None and number not in twin_of
        }
        common = boilerplate(outlines.values())
        shares = dict(zip(outlines, shared_shares(outlines.values(), common)))
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
            (number, alone.signature, (number in self._settled, alone.modified_at, number))
            for number, alone in self._alone.items()
            if alone.signature is not None
        ]
        compared.sort(key=lambda one: one[2], reverse=True)
        found = twins((number, own) for number, own, _ in compared)
        return {number: twin for number, twin in found.items() if number not in self._settled}


def _told(given: GivenText) -> str:
    """What is compared: in a conversation what the user said, for others may be answered twice."""
    own = [given.text[turn.start : turn.end] for turn in given.turns if turn.own]
    return "\n".join(own) if own else given.text


def _reason(alone: Alone, is_twin: bool, shared: float) -> str | None:
    if alone.reason is not None:
        return alone.reason
    if is_twin:
        return NEAR_DUPLICATE
    return BOILERPLATE if shared >= MOSTLY_SHARED else None
