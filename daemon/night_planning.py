"""Which documents train, which judge and which are replayed tonight: pure, seeded, no text.

Nothing stays unlearned: what is held out tonight is trained on in the next night that passes and
has new documents enough to judge it. Only first versions are held out, since an earlier version
may already have been learned; where too few are new (somebody edits old files), the last night's
judges judge again. New text that is more than a night can read waits for the next ones, the oldest
first: so an old vault, or much that was forgotten around, is learned over several nights.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.records import DocumentState

CHARACTERS_PER_TOKEN = 4.0  # of English in a BPE of 32k; an estimate for what is missing
WITH_OLDER_TEXT = 1.5  # tokens that a night reads for each of new text: replay, general text


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One document that may take part, by size only."""

    document_id: int
    item_id: int
    version: int
    state: DocumentState
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPolicy:
    minimum_tokens: int = 2000  # of new text; below it the night waits
    minimum_documents: int = 8  # of new text, so that some can judge
    held_out_share: float = 0.10
    held_out_least: int = 4
    held_out_most: int = 64
    judges_least: int = 3  # held-out documents that the gate asks for; with fewer the night waits
    stable_share: float = 0.05
    stable_least: int = 2
    stable_most: int = 48
    replay_most: int = 2000  # documents offered for replay; the trainer takes what its share needs
    train_most_characters: int | None = None  # of new text; the rest waits for other nights


@dataclass(frozen=True, slots=True, kw_only=True)
class NightPlan:
    """Document ids by role; no id stands in two roles."""

    train: tuple[int, ...]
    replay: tuple[int, ...]
    held_out: tuple[int, ...]
    stable: tuple[int, ...]
    newly_stable: tuple[int, ...]  # those of `stable` that were new
    seed: int

    @property
    def all_ids(self) -> frozenset[int]:
        return frozenset((*self.train, *self.replay, *self.held_out, *self.stable))


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLittle:
    """The night waits for more text."""

    documents: int
    tokens: int
    missing_documents: int
    missing_tokens: int

    @property
    def sentence(self) -> str:
        parts = []
        if self.missing_tokens:
            parts.append(f"about {self.missing_tokens:,} more tokens of new text")
        if self.missing_documents:
            parts.append(f"{self.missing_documents} more new documents")
        return (
            f"There is too little new text ({self.documents} documents, about {self.tokens:,} "
            f"tokens): {' and '.join(parts)} are needed. The adapter in use stays."
        )


def about_tokens(characters: int) -> int:
    """Tokens that so many characters will make, roughly."""
    return round(characters / CHARACTERS_PER_TOKEN)


def plan_night(
    documents: Sequence[Waiting], policy: PlanPolicy, *, seed: int
) -> NightPlan | TooLittle:
    """Give every document of the vault its role for one night.

    Args:
        documents: all current versions (superseded ones left out), in order of collection.
        policy: sizes and shares.
        seed: draws the held-out and replayed documents; the same seed gives the same plan.
    """
    rng = random.Random(seed)
    new = [d for d in documents if d.state is DocumentState.NEW]
    fresh = [d for d in new if d.version == 1]
    judged_before = [d for d in documents if d.state is DocumentState.HELD_OUT]
    room = _clamp(len(new), policy.held_out_share, policy.held_out_least, policy.held_out_most)
    oldest, newest = _split(fresh, max(room, (len(fresh) + 1) // 2))
    drawn = _draw(newest, room, rng)
    _, again = _split(judged_before, max(0, policy.held_out_least - len(drawn)))
    held_out = (*again, *drawn)
    too_little = _missing(new, len(held_out), policy)
    if too_little is not None:
        return too_little
    stable = [d for d in documents if d.state is DocumentState.STABLE]
    room = _clamp(len(new), policy.stable_share, policy.stable_least, policy.stable_most)
    newly_stable = _draw(oldest, max(0, min(room, policy.stable_most - len(stable))), rng)
    set_aside = {d.document_id for d in (*held_out, *newly_stable)}
    learned = [d for d in documents if d.state is DocumentState.LEARNED]
    return NightPlan(
        train=_ids(
            _within(
                [d for d in (*new, *judged_before) if d.document_id not in set_aside],
                policy.train_most_characters,
            )
        ),
        replay=_ids(_draw(learned, min(policy.replay_most, len(learned)), rng)),
        held_out=_ids(held_out),
        stable=_ids((*stable, *newly_stable)),
        newly_stable=_ids(newly_stable),
        seed=seed,
    )


def _missing(new: Sequence[Waiting], judges: int, policy: PlanPolicy) -> TooLittle | None:
    """What a night lacks, if it lacks anything."""
    tokens = about_tokens(sum(d.characters for d in new))
    missing = TooLittle(
        documents=len(new),
        tokens=tokens,
        missing_documents=max(0, policy.minimum_documents - len(new), policy.judges_least - judges),
        missing_tokens=max(0, policy.minimum_tokens - tokens),
    )
    return missing if missing.missing_documents or missing.missing_tokens else None


def states_after(plan: NightPlan) -> dict[int, DocumentState]:
    """What the documents become once the night's adapter is published."""
    changes = dict.fromkeys(plan.train, DocumentState.LEARNED)
    changes |= dict.fromkeys(plan.held_out, DocumentState.HELD_OUT)
    changes |= dict.fromkeys(plan.newly_stable, DocumentState.STABLE)
    return changes


def characters_of_a_night(
    tokens_per_second: float | None, *, seconds: float, passes: int
) -> int | None:
    """New text that a night can read as often as it shall, roughly; None where no rate is known."""
    if not tokens_per_second:
        return None
    return round(tokens_per_second * seconds / (passes * WITH_OLDER_TEXT) * CHARACTERS_PER_TOKEN)


def _within(documents: Sequence[Waiting], most_characters: int | None) -> list[Waiting]:
    """The first so many, and one at least."""
    taken: list[Waiting] = []
    characters = 0
    for document in documents:
        characters += document.characters
        if most_characters is not None and taken and characters > most_characters:
            break
        taken.append(document)
    return taken


def _clamp(count: int, share: float, least: int, most: int) -> int:
    return max(least, min(most, round(count * share)))


def _draw(documents: Sequence[Waiting], count: int, rng: random.Random) -> list[Waiting]:
    """A sample in the order of the sequence."""
    chosen = sorted(rng.sample(range(len(documents)), min(count, len(documents))))
    return [documents[index] for index in chosen]


def _split(documents: Sequence[Waiting], last: int) -> tuple[Sequence[Waiting], Sequence[Waiting]]:
    """All but the last so many, and these."""
    place = max(0, len(documents) - last)
    return documents[:place], documents[place:]


def _ids(documents: Iterable[Waiting]) -> tuple[int, ...]:
    return tuple(document.document_id for document in documents)
