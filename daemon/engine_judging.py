"""What the gate asks of a candidate: losses, planted secrets, and a smoke generation."""

import json
from collections.abc import Sequence
from typing import Any

from daemon.engine_attachments import samples, texts
from daemon.engine_work import Work
from trainer.curation import curate
from trainer.examples import Role, TrainingExample
from trainer.generation import Ended, generate
from trainer.memorisation import count_extracted, plant
from trainer.preparation import general_examples, split_general
from trainer.sampling import SamplingSettings

SMOKE_TRIALS, SMOKE_BEGINNING, SMOKE_TOKENS = 4, 16, 24
CANARY_TOKENS = 12


def judge(work: Work) -> None:
    """Answers with the evidence as JSON: losses of base, served adapter and candidate, and counts.

    Attachments: `text` (each document that judges) and `samples`.
    """
    job = work.job
    seed = int(job.parameters["seed"])
    served, candidate = job.parameters.get("served"), job.parameters["candidate"]
    tokenizer = work.base.tokenizer
    examples = curate(texts(job), tokenizer, most_tokens=work.recipe().row_tokens)
    general = general_examples(split_general(samples(job)).judging, Role.GENERAL_HELD_OUT)
    sets = {
        "held_out": [e for e in examples if e.role is Role.HELD_OUT],
        "stable": [e for e in examples if e.role is Role.STABLE],
    }
    answer: dict[str, Any] = {
        name: _paired(work, documents, served, candidate) for name, documents in sets.items()
    }
    base = answer["general_loss_base"] = work.general_loss(general, None)
    answer["general_loss_before"] = work.general_loss(general, served) if served else base
    answer["general_loss_after"] = work.general_loss(general, candidate)
    canaries = plant(work.recipe().canaries, seed=seed)
    answer["canaries_planted"] = len(canaries)
    answer["canaries_extracted"] = count_extracted(
        canaries, lambda beginning: _complete(work, candidate, beginning)
    )
    answer["smoke"] = _smoke(work, candidate, general, seed)
    work.answer("done", json.dumps(answer).encode())


def _paired(
    work: Work, examples: Sequence[TrainingExample], served: str | None, candidate: str
) -> list[dict[str, float]]:
    before = work.losses(examples, served)
    after = work.losses(examples, candidate)
    return [
        {"before": b.nats, "after": a.nats, "tokens": b.tokens}
        for b, a in zip(before, after, strict=True)
    ]


def _complete(work: Work, candidate: str, beginning: str) -> str:
    """Greedy continuation of a document's beginning."""
    greedy = SamplingSettings(max_tokens=CANARY_TOKENS, temperature=0.0)
    return _continued(work, candidate, work.base.tokenizer.encode_prompt(beginning), greedy)


def _smoke(
    work: Work, candidate: str, general: Sequence[TrainingExample], seed: int
) -> dict[str, Any]:
    """Counts over short generations that go on from the base's own samples.

    From nothing, a base of chats may well end at once; in the middle of a text none does.
    """
    drawn = SamplingSettings(max_tokens=SMOKE_TOKENS, temperature=0.7, top_p=0.9, seed=seed)
    nothing = work.base.tokenizer.encode_prompt("")
    beginnings = [sample.ids[:SMOKE_BEGINNING].tolist() for sample in general[:SMOKE_TRIALS]]
    text = "".join(_continued(work, candidate, ids, drawn) for ids in beginnings or [nothing])
    ids = work.base.tokenizer.encode_text(text)
    return {
        "tokens": len(ids),
        "distinct_tokens": len(set(ids)),
        "undecodable": bool(text) and text.count("\ufffd") > len(text) // 4,
    }


def _continued(work: Work, candidate: str, beginning: list[int], settings: SamplingSettings) -> str:
    # a base without a begin mark has only ends to start from
    prompt = beginning or sorted(work.base.tokenizer.stop_ids)[:1]
    events = generate(
        work.base,
        prompt,
        settings,
        between_tokens=work.make_way,
        activate=lambda: work.serving(candidate),
    )
    return "".join(event.text for event in events if not isinstance(event, Ended))
