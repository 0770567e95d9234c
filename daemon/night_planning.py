"""Which documents train, which judge and which are replayed tonight: pure, seeded, no text.

Nothing stays unlearned: what is held out tonight is trained on in the next night that passes and
has new documents enough to judge it. Texts that overlap are a family, and a family stands on one
side: it judges whole, or none of it does. So only first versions are held out whose family nobody
has learned, and a judge whose text turns up again in new text is learned with it. Where too few are
new (somebody edits old files), the last night's judges judge again.

New text that is more than a night can read waits: the document that has waited longest goes first,
so that none waits for ever, and then the best. What others wrote judges nothing and is read beside
the user's own as general text.
"""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.families import Family, draw_families, families_of, last_families
from storage.records import DocumentState

CHARACTERS_PER_TOKEN = 4.0  # of English in a BPE of 32k; an estimate for what is missing
WITH_OLDER_TEXT = 1.5  # tokens that a night reads for each of new text: replay, general text

# Why a document waits, besides the reasons of curation.
TOO_LITTLE, NIGHT_FULL, READING_FULL = "too_little_text", "night_full", "reading_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One document that may take part, by size and by what is known of it only."""

    document_id: int
    item_id: int
    version: int
    state: DocumentState
    characters: int  # of what is new in it
    own: bool = True
    fresh: tuple[int, int] | None = None  # the new stretch of what has grown; None: all of it
    quality: float = 1.0  # 0 to 1; the best comes first
    left_out: str | None = None  # why it takes no part
    family: int | None = None  # shared with whatever it overlaps

    @property
    def side(self) -> int:
        """Documents with the same must judge together or train together."""
        return self.document_id if self.family is None else self.family


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
    reading_per_own: float = 0.75  # characters of reading text for each of the user's own


@dataclass(frozen=True, slots=True, kw_only=True)
class NightPlan:
    """Document ids by role; no id stands in two roles."""

    train: tuple[int, ...]
    replay: tuple[int, ...]
    held_out: tuple[int, ...]
    stable: tuple[int, ...]
    newly_stable: tuple[int, ...]  # those of `stable` that were new
    seed: int
    reading: tuple[int, ...] = ()  # what others wrote, read as general text
    fresh: tuple[tuple[int, int, int], ...] = ()  # of what has grown: document, start and end

    @property
    def all_ids(self) -> frozenset[int]:
        return frozenset((*self.train, *self.replay, *self.held_out, *self.stable, *self.reading))


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
    taking = [one for one in documents if one.left_out is None]
    new = [one for one in taking if one.own and one.state is DocumentState.NEW]
    reading = [one for one in taking if not one.own and one.state is DocumentState.NEW]
    held_out, newly_stable = _judges(taking, new, policy, rng)
    too_little = _missing(new, len(held_out), policy)
    if too_little is not None:
        return too_little
    stable = [one for family in _still_stable(taking) for one in family.members]
    judging = {one.document_id for one in (*held_out, *newly_stable, *stable)}
    pool = [
        one
        for one in (*new, *_of(taking, DocumentState.HELD_OUT), *_of(taking, DocumentState.STABLE))
        if one.document_id not in judging
    ]
    train = _within(pool, policy.train_most_characters)
    room = int(sum(one.characters for one in train) * policy.reading_per_own)
    read = _within(reading, room) if room else []
    learned = _of(taking, DocumentState.LEARNED)
    return NightPlan(
        train=_ids(train),
        replay=_ids(_draw(learned, policy.replay_most, rng)),
        held_out=_ids(held_out),
        stable=_ids((*stable, *newly_stable)),
        newly_stable=_ids(newly_stable),
        seed=seed,
        reading=_ids(read),
        fresh=tuple((one.document_id, *one.fresh) for one in (*train, *read) if one.fresh),
    )


def states_after(plan: NightPlan) -> dict[int, DocumentState]:
    """What the documents become once the night's adapter is published."""
    changes = dict.fromkeys((*plan.train, *plan.reading), DocumentState.LEARNED)
    changes |= dict.fromkeys(plan.held_out, DocumentState.HELD_OUT)
    changes |= dict.fromkeys(plan.newly_stable, DocumentState.STABLE)
    return changes


def why_waiting(documents: Iterable[Waiting], plan: NightPlan | TooLittle) -> Mapping[int, str]:
    """New documents that no role was found for, and why."""
    taken = frozenset[int]() if isinstance(plan, TooLittle) else plan.all_ids
    return {
        one.document_id: _why(one, plan)
        for one in documents
        if one.state is DocumentState.NEW and one.document_id not in taken
    }


def _why(one: Waiting, plan: NightPlan | TooLittle) -> str:
    if one.left_out is not None:
        return one.left_out
    if isinstance(plan, TooLittle):
        return TOO_LITTLE
    return NIGHT_FULL if one.own else READING_FULL


# --------------------------------------------------------------------------- who judges


def _judges(
    taking: Sequence[Waiting], new: Sequence[Waiting], policy: PlanPolicy, rng: random.Random
) -> tuple[list[Waiting], list[Waiting]]:
    """What is held out tonight, and what judges from tonight on."""
    families = families_of(taking)
    able = [one for one in families if all(map(_is_first, one.members))]
    room = _clamp(len(new), policy.held_out_share, policy.held_out_least, policy.held_out_most)
    half = (sum(len(one.members) for one in able) + 1) // 2
    older, newest = last_families(able, max(room, half))
    drawn = draw_families(newest, room, rng)
    if _count(drawn) < policy.judges_least:  # few families, or large ones: the smallest judge
        drawn = _smallest(able, drawn, policy.judges_least)
    before = [one for one in families if _judged_before(one)]
    _, again = last_families(before, max(0, policy.held_out_least - _count(drawn)))
    kept = sum(one.state is DocumentState.STABLE for one in taking)
    room = _clamp(len(new), policy.stable_share, policy.stable_least, policy.stable_most)
    room = max(0, min(room, policy.stable_most - kept))
    older = [one for one in older if one not in drawn]
    newly_stable = draw_families(older, room, rng)
    return (
        [one for family in (*again, *drawn) for one in family.members],
        [one for family in newly_stable for one in family.members],
    )


def _is_first(one: Waiting) -> bool:
    """Whether nothing of it can have been learned."""
    return one.own and one.state is DocumentState.NEW and one.version == 1


def _judged_before(family: Family[Waiting]) -> bool:
    """Whether it judged the last time and nothing of it was learned since."""
    judges = [one for one in family.members if one.state is DocumentState.HELD_OUT]
    return bool(judges) and all(one in judges or _is_first(one) for one in family.members)


def _still_stable(taking: Sequence[Waiting]) -> list[Family[Waiting]]:
    """The older judges of which nothing has turned up anywhere else."""
    stable = DocumentState.STABLE
    return [
        one for one in families_of(taking) if all(member.state is stable for member in one.members)
    ]


def _smallest(
    able: Sequence[Family[Waiting]], drawn: Sequence[Family[Waiting]], least: int
) -> list[Family[Waiting]]:
    """So many more that there are enough documents, as long as half of them trains."""
    chosen, most = list(drawn), _count(able) // 2
    for family in sorted(able, key=lambda one: len(one.members)):
        if _count(chosen) >= least or _count([*chosen, family]) > most:
            break
        if family not in chosen:
            chosen.append(family)
    return chosen


def _count(families: Iterable[Family[Waiting]]) -> int:
    return sum(len(one.members) for one in families)


def _missing(new: Sequence[Waiting], judges: int, policy: PlanPolicy) -> TooLittle | None:
    """What a night lacks, if it lacks anything."""
    counted = [one for one in new if one.characters or one.fresh is None]
    tokens = about_tokens(sum(one.characters for one in counted))
    missing = TooLittle(
        documents=len(counted),
        tokens=tokens,
        missing_documents=max(
            0, policy.minimum_documents - len(counted), policy.judges_least - judges
        ),
        missing_tokens=max(0, policy.minimum_tokens - tokens),
    )
    return missing if missing.missing_documents or missing.missing_tokens else None


# --------------------------------------------------------------------------- how much


def characters_of_a_night(
    tokens_per_second: float | None, *, seconds: float, passes: int
) -> int | None:
    """New text that a night can read as often as it shall, roughly; None where no rate is known."""
    if not tokens_per_second:
        return None
    return round(tokens_per_second * seconds / (passes * WITH_OLDER_TEXT) * CHARACTERS_PER_TOKEN)


def reading_per_own(*, passes: int, replay: float, general: float) -> float:
    """Characters of reading text, read once, for each of own text, read in every pass: half of the
    general text's share."""
    return passes * general / 2 / (1.0 - replay - general)


def _within(documents: Sequence[Waiting], most_characters: int | None) -> list[Waiting]:
    """The one that waits longest whatever its size, then the best that fit, in the given order."""
    if most_characters is None or not documents:
        return list(documents)
    oldest = min(documents, key=lambda one: one.document_id)
    taken, characters = {oldest.document_id}, oldest.characters
    for one in sorted(documents, key=_best_first):
        if one is not oldest and characters + one.characters <= most_characters:
            taken.add(one.document_id)
            characters += one.characters
    return [one for one in documents if one.document_id in taken]


def _best_first(one: Waiting) -> tuple[float, int]:
    """By quality in tenths, then by age."""
    return -round(one.quality, 1), one.document_id


def _clamp(count: int, share: float, least: int, most: int) -> int:
    return max(least, min(most, round(count * share)))


def _draw(documents: Sequence[Waiting], count: int, rng: random.Random) -> list[Waiting]:
    """A sample in the order of the sequence."""
    chosen = sorted(rng.sample(range(len(documents)), min(count, len(documents))))
    return [documents[index] for index in chosen]


def _of(documents: Collection[Waiting], state: DocumentState) -> list[Waiting]:
    return [one for one in documents if one.state is state]


def _ids(documents: Iterable[Waiting]) -> tuple[int, ...]:
    return tuple(document.document_id for document in documents)
