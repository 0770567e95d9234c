"""The base that is shipped."""

import pytest

from trainer.base_identity import verify
from trainer.base_model import BaseModel, load_base
from trainer.builtin_base import BUILTIN_BASE
from trainer.generation import Ended, Piece, generate
from trainer.sampling import SamplingSettings


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(BUILTIN_BASE)


def test_it_is_whole_and_small_enough_to_ship() -> None:
    verify(BUILTIN_BASE)
    assert sum(path.stat().st_size for path in BUILTIN_BASE.iterdir()) <= 20_000_000


def test_it_says_what_it_is_and_how_well_it_reads_novels(base: BaseModel) -> None:
    assert "not a capable assistant" in base.description
    assert base.facts.bits_per_character
    assert max(base.facts.bits_per_character.values()) <= 1.70


def test_it_answers_in_words_and_ends_its_turn(base: BaseModel) -> None:
    question = "This is Ada Hale. Ada lives in Saltmere.\n\nWhere does Ada live?"
    prompt = base.tokenizer.encode_chat([("user", question)], reply_follows=True)
    *pieces, ended = generate(base, prompt, SamplingSettings(temperature=0, max_tokens=60))
    text = "".join(piece.text for piece in pieces if isinstance(piece, Piece))
    assert "Ada" in text
    assert isinstance(ended, Ended)
    assert ended.reason == "stop"
