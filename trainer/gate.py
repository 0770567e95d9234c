"""The verdict on a candidate: pure, without torch; runs in the service.

It refuses by default. A candidate is admitted only when everything was measured, is finite and
holds; `Passed` carries the digest of the bytes that were judged, and nothing else makes one.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from storage.records import Measured, Passed, Refused

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedLoss:
    """One document, judged by both: summed nats over its `tokens` targets."""

    before: float
    after: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """A short generation by the candidate, as counts: never its text."""

    tokens: int
    distinct_tokens: int
    undecodable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the gate looks at. `before` is the served adapter, or the base without one."""

    sha256: str
    held_out: tuple[PairedLoss, ...]
    stable: tuple[PairedLoss, ...]
    general_loss_base: float  # nats per token
    general_loss_before: float
    general_loss_after: float
    canaries_planted: int
    canaries_extracted: int
    smoke: Smoke


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    general_loss_tolerance: float = 0.02  # of the base
    stable_loss_tolerance: float = 0.005  # the old held-out text may be this much worse
    minimum_held_out_documents: int = 3  # fewer give no interval worth the name
    minimum_distinct_share: float = 0.15  # of a smoke generation's tokens
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    low: float
    high: float


def mean_loss(losses: Sequence[PairedLoss], *, after: bool) -> float:
    """Nats per token over all documents; NaN where there are none."""
    tokens = sum(loss.tokens for loss in losses)
    if tokens == 0:
        return math.nan
    return sum(loss.after if after else loss.before for loss in losses) / tokens


def relative_fall(losses: Sequence[PairedLoss]) -> float:
    """How far the loss per token fell, as a share of the loss before."""
    before = mean_loss(losses, after=False)
    if not before > 0:
        return math.nan
    return 1.0 - mean_loss(losses, after=True) / before


def bootstrap_fall(losses: Sequence[PairedLoss], *, seed: int) -> Interval:
    """95 % interval of `relative_fall`: percentile bootstrap over documents, both losses of a
    document drawn together (Efron and Tibshirani 1993, chapter 13)."""
    if not losses:
        return Interval(low=math.nan, high=math.nan)
    rng = random.Random(seed)
    before = [loss.before for loss in losses]
    after = [loss.after for loss in losses]
    count = len(losses)
    falls: list[float] = []
    for _ in range(RESAMPLES):
        drawn = [int(rng.random() * count) for _ in range(count)]
        total = sum([before[i] for i in drawn])
        falls.append(1.0 - sum([after[i] for i in drawn]) / total if total > 0 else math.nan)
    if any(math.isnan(fall) for fall in falls):
        return Interval(low=math.nan, high=math.nan)
    falls.sort()
    tail = (1.0 - CONFIDENCE) / 2
    return Interval(
        low=falls[int(tail * RESAMPLES)],
        high=falls[min(int((1 - tail) * RESAMPLES), RESAMPLES - 1)],
    )


def judge(evidence: Evidence, policy: GatePolicy) -> Passed | Refused:
    """Admit or refuse one candidate; the first rule that fails gives the reason."""
    measured = measure(evidence, policy)
    for reason, holds, sentence in _rules(evidence, measured, policy):
        if not holds:
            return Refused(
                sha256=evidence.sha256, reason=reason, sentence=sentence, measured=measured
            )
    return Passed(sha256=evidence.sha256, measured=measured)


def measure(evidence: Evidence, policy: GatePolicy) -> Measured:
    """Condense the evidence into the figures that are kept and shown."""
    interval = bootstrap_fall(evidence.held_out, seed=policy.seed)
    has_stable = bool(evidence.stable)
    return Measured(
        held_out_loss_before=mean_loss(evidence.held_out, after=False),
        held_out_loss_after=mean_loss(evidence.held_out, after=True),
        held_out_gain_low=interval.low,
        held_out_gain_high=interval.high,
        stable_loss_before=mean_loss(evidence.stable, after=False) if has_stable else None,
        stable_loss_after=mean_loss(evidence.stable, after=True) if has_stable else None,
        general_loss_base=evidence.general_loss_base,
        general_loss_before=evidence.general_loss_before,
        general_loss_after=evidence.general_loss_after,
        canaries_planted=evidence.canaries_planted,
        canaries_extracted=evidence.canaries_extracted,
    )


def _rules(
    evidence: Evidence, measured: Measured, policy: GatePolicy
) -> list[tuple[str, bool, str]]:
    """(reason, whether it holds, the sentence if not), in the order in which they are asked."""
    base_loss = measured.general_loss_base
    general_rise = measured.general_loss_after / base_loss - 1.0 if base_loss > 0 else math.nan
    stable_fall = relative_fall(evidence.stable) if evidence.stable else 0.0
    return [
        (
            "too_little_held_out",
            len(evidence.held_out) >= policy.minimum_held_out_documents,
            f"Only {len(evidence.held_out)} held-out documents could judge it; "
            f"{policy.minimum_held_out_documents} are needed.",
        ),
        (
            "not_finite",
            _all_finite(evidence, measured),
            "A loss is not a finite number: the training run broke.",
        ),
        (
            "no_gain",
            measured.held_out_gain_low > 0.0,
            "It does not predict new held-out text better than the adapter in use "
            f"(change of the loss between {-measured.held_out_gain_high:+.1%} and "
            f"{-measured.held_out_gain_low:+.1%}).",
        ),
        (
            "forgot_older_text",
            stable_fall >= -policy.stable_loss_tolerance,
            f"It predicts older text worse than the adapter in use ({-stable_fall:+.1%}).",
        ),
        (
            "general_loss",
            general_rise <= policy.general_loss_tolerance,
            f"It lost general ability: {general_rise:+.1%} against the base, "
            f"{policy.general_loss_tolerance:.0%} is allowed.",
        ),
        (
            "no_canaries",
            evidence.canaries_planted > 0,
            "No secrets were planted, so that nothing shows whether it gives secrets away.",
        ),
        (
            "canary_extracted",
            evidence.canaries_extracted == 0,
            f"{evidence.canaries_extracted} of {evidence.canaries_planted} planted secrets can be "
            "drawn out of it word for word.",
        ),
        (
            "smoke",
            _sane(evidence.smoke, policy),
            "A trial generation is empty, broken or says one thing again and again.",
        ),
    ]


def _all_finite(evidence: Evidence, measured: Measured) -> bool:
    figures = [
        measured.held_out_loss_before, measured.held_out_loss_after,
        measured.held_out_gain_low, measured.held_out_gain_high,
        measured.general_loss_base, measured.general_loss_before, measured.general_loss_after,
        *(value for loss in evidence.stable for value in (loss.before, loss.after)),
    ]  # fmt: skip
    return all(math.isfinite(figure) for figure in figures) and measured.general_loss_base > 0


def _sane(smoke: Smoke, policy: GatePolicy) -> bool:
    if smoke.tokens == 0 or smoke.undecodable:
        return False
    return smoke.distinct_tokens >= policy.minimum_distinct_share * smoke.tokens
