"""From a full-precision folder to a 4-bit base."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import bitsandbytes.functional as bnb
import pytest
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM

from tests.trainer.stock import stock_model
from tests.trainer.tiny_bases import full_precision_folder
from trainer import errors
from trainer.base_identity import verify
from trainer.base_model import BaseModel, load_base
from trainer.nf4_linear import LinearShape, MalformedLinear, dequantise, nf4_linear, quantise_linear
from trainer.quantising import quantise_folder

Folders = Callable[[str], Path]


def quantised(source: Path, out: Path) -> Path:
    quantise_folder(source, out, name="tiny", licence="MIT", description="For tests.")
    return out


@pytest.fixture
def source(sources: Folders, tmp_path: Path) -> Path:
    """A copy of a full-precision folder, to be broken."""
    return Path(shutil.copytree(sources("llama"), tmp_path / "source"))


def test_weights_are_what_bitsandbytes_makes_of_the_source(
    family: str, sources: Folders, load: Callable[..., BaseModel]
) -> None:
    base = load(family)
    originals = safetensors.torch.load_file(sources(family) / "model.safetensors")
    checked = 0
    for name, weight in originals.items():
        module = base.model.get_submodule(name.rpartition(".")[0])
        if name.endswith("proj.weight"):
            packed, state = bnb.quantize_4bit(
                weight.float(), quant_type="nf4", compress_statistics=True
            )
            assert torch.equal(dequantise(module), bnb.dequantize_4bit(packed, state))
            checked += 1
        else:
            assert torch.equal(getattr(module, name.rpartition(".")[2]), weight.float())
    assert checked == 14  # seven matrices in each of two layers


def test_the_model_computes_what_the_dequantised_weights_say(
    family: str, sources: Folders, load: Callable[..., BaseModel]
) -> None:
    base = load(family)
    plain = AutoModelForCausalLM.from_pretrained(sources(family), dtype=torch.float32)
    for name, module in base.model.named_modules():
        if name.endswith("proj"):
            plain.get_submodule(name).weight.data = dequantise(module)
    ids = torch.arange(60).view(2, 30)
    with torch.no_grad():
        torch.testing.assert_close(base.model(ids).logits, plain(ids).logits, rtol=1e-4, atol=1e-4)


def test_plain_transformers_loads_the_same_folder(
    base_folders: Folders, load: Callable[..., BaseModel]
) -> None:
    theirs = stock_model(base_folders("qwen2"), torch.bfloat16)
    assert type(theirs.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    ours = load("qwen2", torch.bfloat16).model
    ids = torch.arange(40).view(1, 40)
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, theirs(ids).logits, rtol=0, atol=0)


def test_shards_and_one_file_give_the_same_base(sources: Folders, tmp_path: Path) -> None:
    sharded = full_precision_folder(tmp_path / "sharded", "llama", shard_bytes=60_000)
    assert len(list(sharded.glob("*.safetensors"))) > 1
    from_shards = quantised(sharded, tmp_path / "a")
    from_one = quantised(sources("llama"), tmp_path / "b")
    assert (from_shards / "nightloom.json").read_bytes() == (
        from_one / "nightloom.json"
    ).read_bytes()
    verify(from_shards)


def test_end_marks_of_the_generation_config_are_kept(source: Path, tmp_path: Path) -> None:
    (source / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 7]}))
    base = load_base(quantised(source, tmp_path / "out"))
    assert {1, 7} <= base.tokenizer.stop_ids


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    sharded = full_precision_folder(tmp_path / "sharded", "llama", shard_bytes=60_000)
    lost = sorted(sharded.glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(errors.BaseMissing, match=lost.name):
        quantised(sharded, tmp_path / "out")


def test_a_cut_off_source_is_named_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(errors.BaseDamaged, match=r"model\.safetensors"):
        quantised(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_weights_that_are_no_numbers_are_refused_and_leave_nothing(
    source: Path, tmp_path: Path
) -> None:
    tensors = safetensors.torch.load_file(source / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3, 3] = float("nan")
    safetensors.torch.save_file(tensors, source / "model.safetensors")
    with pytest.raises(errors.BaseDamaged, match="not a finite number"):
        quantised(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_pickle_weights_are_refused_unread(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(errors.PickleWeights, match=r"pytorch_model\.bin"):
        quantised(source, tmp_path / "out")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_base_that_wants_to_run_code_is_refused(source: Path, tmp_path: Path, file: str) -> None:
    settings = json.loads((source / file).read_text())
    settings["auto_map"] = {"AutoModelForCausalLM": "modeling_evil.Evil"}
    (source / file).write_text(json.dumps(settings))
    with pytest.raises(errors.BaseWantsCode, match=file):
        quantised(source, tmp_path / "out")


def test_an_unknown_architecture_is_told_which_are_known(source: Path, tmp_path: Path) -> None:
    config = json.loads((source / "config.json").read_text()) | {"model_type": "mamba"}
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(errors.UnsupportedArchitecture, match=r"mamba .* Llama, Mistral, Qwen2"):
        quantised(source, tmp_path / "out")


def test_tensors_that_the_architecture_does_not_have_are_refused(
    source: Path, tmp_path: Path
) -> None:
    tensors = safetensors.torch.load_file(source / "model.safetensors")
    tensors["model.layers.0.self_attn.sinks"] = torch.zeros(4)
    safetensors.torch.save_file(tensors, source / "model.safetensors")
    with pytest.raises(errors.UnsupportedArchitecture):
        quantised(source, tmp_path / "out")


def test_no_disk_space_is_said_before_anything_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(errors.DiskFull, match="1000"):
        quantised(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(errors.BaseExists):
        quantised(source, tmp_path / "out")


def test_rows_that_bitsandbytes_would_dequantise_wrongly_are_refused() -> None:
    shape = LinearShape(out_features=10, in_features=96)
    with pytest.raises(MalformedLinear):
        nf4_linear(
            quantise_linear(torch.randn(10, 96)), shape, bias=None,
            compute_dtype=torch.float32, device=torch.device("cpu"),
        )  # fmt: skip


@pytest.mark.parametrize("part", ["weight.absmax", "weight.nested_absmax", "weight"])
def test_a_layer_with_a_constant_too_few_never_reaches_a_kernel(part: str) -> None:
    stored = quantise_linear(torch.randn(64, 64))
    stored[part] = stored[part][:-1]
    with pytest.raises(MalformedLinear):
        nf4_linear(
            stored, LinearShape(out_features=64, in_features=64), bias=None,
            compute_dtype=torch.float32, device=torch.device("cpu"),
        )  # fmt: skip
