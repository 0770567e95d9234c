"""Both sides compute the same from the same bytes, and a side that fails is named."""

import io
import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest
import torch

from trainer.bench.decode_ours import OursDecoding
from trainer.bench.decode_stock import StockDecoding
from trainer.bench.decoding import distance
from trainer.bench.errors import SideDied, SideFailed, SidesDisagree
from trainer.bench.geometry import GEOMETRIES
from trainer.bench.gguf_file import write_gguf
from trainer.bench.ours_model import ADAPTER, ours, write_base
from trainer.bench.random_base import nameless_file
from trainer.bench.side import side_words
from trainer.bench.sides import Side
from trainer.bench.stock_model import adapter_parameters, stock
from trainer.bench.train_run import TrainRun, rate
from trainer.bench.training import compare

TINY = GEOMETRIES["tiny"].with_layers(2)


@pytest.fixture(scope="module")
def base() -> Iterator[int]:
    """A file with random weights of TINY."""
    with nameless_file() as file:
        write_base(TINY, file)
        yield file


def test_the_weights_are_in_no_folder_and_large_as_a_fresh_model_s(base: int) -> None:
    assert os.fstat(base).st_nlink == 0
    assert os.fstat(base).st_size >= TINY.base_bytes
    model, _ = ours(TINY, base, learned=False)

    layer: Any = model.get_submodule("model.layers.1.mlp.down_proj")
    weights = layer.base_layer.matrix.dequantise(torch.float32)
    assert float(weights.std()) == pytest.approx(TINY.intermediate**-0.5, rel=0.05)
    assert float(weights.mean().abs()) < 0.1 * float(weights.std())


def test_both_sides_have_the_same_adapter_under_the_same_names(base: int) -> None:
    _, bank = ours(TINY, base, learned=True)
    mine, theirs = bank.parameters(ADAPTER), adapter_parameters(stock(TINY, base, learned=True))

    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert all(float(p.detach().abs().max()) > 0 for p in mine.values())


def test_a_fresh_adapter_changes_nothing_yet(base: int) -> None:
    _, bank = ours(TINY, base, learned=False)

    ups = [p for name, p in bank.parameters(ADAPTER).items() if ".lora_B." in name]
    assert ups
    assert not any(p.detach().any() for p in ups)


def test_both_sides_say_the_same_next_token_and_the_adapter_counts(base: int) -> None:
    mine, theirs, repacked = (
        OursDecoding(TINY, base), StockDecoding(TINY, base), StockDecoding(TINY, base)
    )  # fmt: skip
    mine.load()
    theirs.load(repack=False)
    repacked.load(repack=True)

    logits = theirs.logits(20)
    assert distance(mine.logits(20), logits) < 0.03
    assert distance(repacked.logits(20), logits) < 0.06
    fresh = OursDecoding(TINY, base)
    fresh._made = ours(TINY, base, learned=False)
    assert distance(fresh.logits(20), logits) > 0.1


def test_times_are_of_what_was_asked(base: int) -> None:
    side = OursDecoding(TINY, base)
    side.load()

    assert side.prefill(8) > 0
    assert side.decode(8, 2) > 0
    assert side.matmul_limit(8) > 0
    held = side.serving(16)
    assert 0 < held["base"] < held["all"]
    assert held["base"] <= os.fstat(base).st_size + (1 << 20)


# --------------------------------------------------------------------------- a side as a process


def test_a_side_that_fails_is_named_with_the_place_and_goes_on(base: int) -> None:
    words = side_words("train_ours", TINY, base)
    with Side("ours", "trainer.bench.side", words, files=(base,)) as side:
        with pytest.raises(SideFailed, match=r"ours failed \(AssertionError at train_ours.py"):
            side.ask("run", run={}, micro_batch=1, recompute_layers=0)
        assert side.ask("machine")["threads"] >= 1


def test_a_side_that_ends_too_early_is_named() -> None:
    missing = Side("stock", "trainer.bench.no_such_side")
    with missing as side, pytest.raises(SideDied, match="measures stock"):
        side.ask("load")


def test_only_our_side_has_the_engine_s_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")

    assert Side("ours", "m", as_engine=True)._environment["GOMP_SPINCOUNT"] == "1000"
    assert "GOMP_SPINCOUNT" not in Side("stock", "m")._environment


# --------------------------------------------------------------------------- agreement


def test_courses_of_the_loss_that_agree_are_measured() -> None:
    assert compare([9.0, 8.8, 8.6], [9.0, 8.8008, 8.6]) == pytest.approx(0.0001, rel=0.1)


@pytest.mark.parametrize(
    ("losses", "what"),
    [
        ([9.2, 8.8, 8.6], "a loss differs by 2.2%"),
        ([9.0, 8.8, 8.65], "the fall of the loss differs by 25.0%"),
        ([9.0, float("nan"), 8.6], "a loss"),
    ],
)
def test_others_are_refused(losses: list[float], what: str) -> None:
    with pytest.raises(SidesDisagree, match=what):
        compare(losses, [9.0, 8.8, 8.6])


def test_the_warm_up_step_is_short_and_the_rate_grows_to_its_height() -> None:
    run = TrainRun(rows=2, row_tokens=256, steps=2, vocabulary=100)

    assert [ids.shape for ids in run.steps_ids()] == [(2, 32), (2, 256), (2, 256)]
    assert rate(0) < rate(1) == rate(7)


# --------------------------------------------------------------------------- llama.cpp's file


def test_the_file_for_llama_cpp_has_all_tensors_at_their_places() -> None:
    file = io.BytesIO()
    write_gguf(file, TINY)
    size = file.tell()

    tensors, data_start = read_gguf(file)

    assert len(tensors) == 2 + 2 * 9
    assert tensors["blk.1.ffn_down.weight"][0] == (TINY.intermediate, TINY.hidden)
    kinds = {0: (1, 4), 2: (32, 18), 14: (256, 210)}
    end = 0
    for extents, kind, offset in tensors.values():
        weights, bytes_ = kinds[kind]
        assert offset == end
        end = offset + torch.Size(extents).numel() // weights * bytes_
        end += -end % 32
    assert data_start + end == size


def read_gguf(file: BinaryIO) -> tuple[dict[str, tuple[tuple[int, ...], int, int]], int]:
    """Extents, type and offset by name, and where the data begins."""
    file.seek(0)

    def take(form: str) -> tuple[int, ...]:
        return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))

    def text() -> str:
        return file.read(*take("Q")).decode()

    assert file.read(4) == b"GGUF"
    _, count, words = take("IQQ")
    for _ in range(words):
        text()
        (kind,) = take("I")
        text() if kind == 8 else file.read(4)
    tensors = {}
    for _ in range(count):
        name = text()
        (dimensions,) = take("I")
        tensors[name] = (take(f"{dimensions}Q"), *take("IQ"))
    return tensors, file.tell() + -file.tell() % 32  # type: ignore[return-value]
