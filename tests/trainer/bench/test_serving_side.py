"""What `nightloom bench serve` is made of: a random base as a folder, adapters, bare answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from storage.records import sha256_hex
from trainer.base_model import load_base
from trainer.bench import serving_side
from trainer.bench.geometry import GEOMETRIES
from trainer.bench.random_folder import silent_tokens
from trainer.bench.serving_side import ServingSide

SMALL = replace(
    GEOMETRIES["7b"],
    hidden=128, intermediate=192, layers=2, layers_whole=2, heads=2, kv_heads=2, vocabulary=4224,
    context_tokens=256,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("serving") / "base"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving_side, "GEOMETRIES", {"small": SMALL})
        ServingSide(base).operations["write"](geometry="small", layers=None)
    return base


@pytest.fixture(scope="module")
def loaded(folder: Path) -> ServingSide:
    side = ServingSide(folder)
    made = side.operations["adapters"](into=str(folder.parent), count=2)
    first, second = (Path(path).read_bytes() for path in made["paths"])
    assert sha256_hex(first) != sha256_hex(second)
    side.operations["load"](adapter=made["paths"][0])
    return side


def test_the_folder_is_a_base_that_loads(folder: Path) -> None:
    base = load_base(folder)
    assert (base.name, base.context_tokens) == ("random-7b", 256)
    assert base.model.config.vocab_size == 4224


def test_tokens_that_show_nothing_have_a_head_of_zeros(folder: Path) -> None:
    base = load_base(folder)
    silent = silent_tokens(base.tokenizer)
    head = base.model.get_output_embeddings().weight
    assert base.tokenizer.stop_ids <= set(silent)
    assert len(silent) < base.tokenizer.vocabulary / 10
    assert not head[silent].any()
    assert head[[token for token in range(4096) if token not in silent]].any(dim=1).all()


def test_a_prompt_has_exactly_as_many_tokens_as_were_asked_for(
    folder: Path, loaded: ServingSide
) -> None:
    tokenizer = load_base(folder).tokenizer
    prompts = [loaded.operations["prompt"](tokens=tokens, seed=1) for tokens in (8, 131, 200)]
    assert [len(tokenizer.encode_prompt(text)) for text in prompts] == [8, 131, 200]
    assert loaded.operations["prompt"](tokens=8, seed=2) != prompts[0]


def test_bare_answers_have_times(loaded: ServingSide) -> None:
    text = loaded.operations["prompt"](tokens=8, seed=3)
    assert loaded.operations["prefill"](text=text) > 0
    assert loaded.operations["decode"](text=text, steps=3) > 0
