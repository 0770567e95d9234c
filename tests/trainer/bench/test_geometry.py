"""A geometry says of itself what the model made of it has."""

import pytest
import torch

from trainer.architecture import block_linears, empty_model
from trainer.base_format import check_folder
from trainer.bench.budget import decoding_bytes, kernel_bytes, require, training_bytes
from trainer.bench.errors import MemoryTooSmall
from trainer.bench.geometry import GEOMETRIES, Geometry
from trainer.bench.random_base import DTYPES, plan_of
from trainer.bench.train_run import TrainRun
from trainer.bench.training_ways import plan_ways
from trainer.builtin_base import BUILTIN_BASE

GB = 10**9


@pytest.mark.parametrize("name", GEOMETRIES)
def test_it_has_the_layers_and_weights_that_it_says(name: str) -> None:
    geometry = GEOMETRIES[name]
    model = empty_model(geometry.config)

    shapes = {path: (s.out_features, s.in_features) for path, s in block_linears(model).items()}
    assert len(shapes) == 7 * geometry.layers
    of_first = {
        path.rpartition(".")[2]: shape for path, shape in shapes.items() if ".layers.0." in path
    }
    assert of_first == geometry.linears
    assert (
        sum(out * in_ for out, in_ in shapes.values()) == geometry.layers * geometry.block_weights
    )
    assert model.get_output_embeddings().weight.numel() == geometry.head_weights


@pytest.mark.parametrize("name", GEOMETRIES)
def test_it_takes_the_bytes_that_it_says(name: str) -> None:
    geometry = GEOMETRIES[name]
    plan = plan_of(empty_model(geometry.config))

    stored = sum(
        torch.Size(shape).numel() * DTYPES[dtype].itemsize for dtype, shape in plan.values()
    )
    assert geometry.base_bytes == pytest.approx(stored, rel=0.03)  # norms, tables of values


def test_tiny_is_the_built_in_base() -> None:
    config, tiny = check_folder(BUILTIN_BASE).config, GEOMETRIES["tiny"].config

    same = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "vocab_size", "max_position_embeddings",
            "tie_word_embeddings")  # fmt: skip
    assert {name: config[name] for name in same} == {name: tiny[name] for name in same}


def test_7b_is_llama_2() -> None:
    geometry = GEOMETRIES["7b"]

    assert geometry.layers * geometry.block_weights == 6_476_005_376
    assert geometry.read_bytes == pytest.approx(3.34 * GB + 2 * 131e6, rel=0.01)


def test_fewer_layers_are_scaled_by_the_weights_that_are_left_out() -> None:
    part = GEOMETRIES["7b"].with_layers(4)

    assert part.share_of_whole == pytest.approx((4 * 202.4 + 131) / (32 * 202.4 + 131), rel=1e-3)
    assert part.part_note.startswith("4 of 32 layers measured")
    assert GEOMETRIES["7b"].part_note == ""
    with pytest.raises(ValueError, match="32 layers"):
        part.with_layers(33)


# --------------------------------------------------------------------------- memory


def needed(geometry: Geometry) -> int:
    return training_bytes(geometry, 1024, checkpointed=True)


def test_a_bench_that_does_not_fit_says_what_would() -> None:
    with pytest.raises(MemoryTooSmall) as refused:
        require(4 * GB, GEOMETRIES["7b"], needed)

    said = str(refused.value)
    assert "--geometry 1b or --layers" in said
    assert f"{needed(GEOMETRIES['7b']) / 1e9:.1f} GB" in said
    layers = int(said.partition("--layers ")[2].split()[0])
    assert needed(GEOMETRIES["7b"].with_layers(layers)) <= 4 * GB
    assert needed(GEOMETRIES["7b"].with_layers(layers + 1)) > 4 * GB


def test_nothing_fits_into_no_memory() -> None:
    with pytest.raises(MemoryTooSmall, match="close other programs"):
        require(GB // 10, GEOMETRIES["7b"], needed)


def test_what_fits_is_let_through_and_so_is_what_cannot_be_known() -> None:
    geometry = GEOMETRIES["7b"]
    least = needed(geometry)

    require(least, geometry, needed)
    require(None, geometry, needed)
    with pytest.raises(MemoryTooSmall):
        require(least - 1, geometry, needed)


def test_more_is_needed_for_more() -> None:
    small, large = GEOMETRIES["1b"], GEOMETRIES["7b"]

    assert needed(small) < needed(large)
    assert kernel_bytes(small) < kernel_bytes(large)
    assert decoding_bytes(large, llama=False) < decoding_bytes(large, llama=True)
    assert needed(large) < training_bytes(large, 1024, checkpointed=False)


def test_where_memory_is_short_some_is_recomputed_and_the_table_says_so() -> None:
    geometry = GEOMETRIES["7b"]
    run = TrainRun(rows=2, row_tokens=512, steps=1, vocabulary=geometry.vocabulary)

    wide, narrow = plan_ways(geometry, run, 64 * GB), plan_ways(geometry, run, 8 * GB)

    assert wide.planned == wide.ours_neither
    assert len(wide.all) == 4
    assert narrow.all == [narrow.ours_checkpointed, narrow.stock_checkpointed, narrow.planned]
    assert 0 < narrow.planned.settings["recompute_layers"] < 32
    assert narrow.expected_bytes <= 8 * GB < wide.expected_bytes
    assert "GB of memory" in narrow.note
    assert narrow.ours_checkpointed.settings == {"micro_batch": 2, "recompute_layers": 32}
    assert narrow.stock_checkpointed.settings == {"micro_batch": 2, "checkpoint": True}
