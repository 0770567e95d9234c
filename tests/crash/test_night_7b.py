"""What `make night-7b` is made of: a base of random numbers, and how a night is followed."""

import itertools
from pathlib import Path

import pytest

from tests.crash.night_7b import Size, note
from tests.crash.night_7b_log import Chronicle, NightLines
from tests.crash.random_base_folder import make_random_base
from tests.pipeline.living import Json
from trainer.base_identity import verify
from trainer.base_model import load_base
from trainer.base_samples import SAMPLE_COUNT, read_samples
from trainer.bench.geometry import GEOMETRIES
from trainer.generation import Ended, generate
from trainer.sampling import SamplingSettings

CONTEXT = 32


def test_a_base_of_random_numbers_is_a_base(tmp_path: Path) -> None:
    folder = tmp_path / "random"
    geometry = GEOMETRIES["tiny"].with_layers(1)

    facts = make_random_base(folder, geometry, context_tokens=CONTEXT)

    verify(folder)
    base = load_base(folder)
    assert (base.identity, base.context_tokens) == (facts.identity, CONTEXT)
    rows = read_samples(folder, vocabulary=base.tokenizer.vocabulary)
    assert rows is not None
    assert rows.shape == (SAMPLE_COUNT, CONTEXT)
    prompt = base.tokenizer.encode_prompt("The bees")
    *_, ended = generate(base, prompt, SamplingSettings(temperature=0.0, max_tokens=2))
    assert isinstance(ended, Ended)


def test_notes_are_all_different_and_enough_for_a_night() -> None:
    size = Size()
    notes = [note(number, size.sentences) for number in range(size.notes)]
    sentences = list(itertools.chain.from_iterable(one.split(". ") for one in notes))
    assert len(set(sentences)) > 0.9 * len(sentences)
    assert min(len(one.split()) for one in notes) > 20


def test_a_night_is_followed_step_by_step_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    def step(number: int) -> Json:
        told = {"step": number, "steps": 3, "loss": 2.5, "tokens": 10 * number}
        return {"state": "training", "tokens_per_second": 1.0, **told}

    ended = {"state": "yielding", "steps": 2}
    lines: list[Json] = [
        {"state": "preparing", "stage_progress": 0.5}, step(1), step(2), {"night": ended},
    ]  # fmt: skip
    night = NightLines(iter(lines), Chronicle())

    found = night.until_step(2)
    assert found is not None
    assert (found.step, found.steps) == (2, 3)
    assert night.until_step(3) is None
    assert night.entry() == ended
    assert capsys.readouterr().out.count("state: ") == 3
