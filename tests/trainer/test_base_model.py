"""Loading a base folder: what is checked, what is refused, what stays untouched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import safetensors.torch
import torch

from trainer import errors
from trainer.base_format import known_config, read_facts
from trainer.base_identity import base_identity, tensors_digest, verify
from trainer.base_model import BaseModel, load_base
from trainer.lora import known_warnings_silenced
from trainer.lora_linear import register

Folders = Callable[[str], Path]
Load = Callable[..., BaseModel]


@pytest.fixture
def folder(base_folders: Folders, tmp_path: Path) -> Path:
    """A copy of a tiny base, to be broken."""
    return Path(shutil.copytree(base_folders("llama"), tmp_path / "base"))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def change_facts(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / "nightloom.json").read_text())
    (folder / "nightloom.json").write_text(json.dumps(facts | changes))


def test_a_base_says_what_it_is(load: Load) -> None:
    base = load("llama")
    assert (base.name, base.facts.licence, base.context_tokens) == ("tiny-llama", "MIT", 256)
    assert base.facts.parameters == sum(
        parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)  # two weights a byte
        for parameter in base.model.parameters()
    )
    assert len(base.identity) == 64


def test_nothing_of_the_base_wants_gradients_and_it_is_in_eval_mode(
    load: Load, family: str
) -> None:
    model = load(family).model
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


def test_weights_are_the_pages_of_the_file_itself(load: Load, base_folders: Folders) -> None:
    base = load("qwen2", torch.bfloat16)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    spans = [
        tuple(int(part, 16) for part in line.split()[0].split("-"))
        for line in maps.read_text().splitlines()
        if line.endswith(str(base_folders("qwen2") / "model.safetensors"))
    ]
    for name, parameter in base.model.named_parameters():
        assert any(start <= parameter.data_ptr() < end for start, end in spans), name


def test_loading_and_generating_say_nothing(load: Load, capfd: pytest.CaptureFixture[str]) -> None:
    load("llama").model(torch.tensor([[1, 2, 3]]))
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_after_answering_reaches_the_inputs_and_leaves_the_weights(
    load: Load, dtype: torch.dtype
) -> None:
    """bitsandbytes repacks weights in place in eval mode on some CPUs; ours must not."""
    base = load("llama", dtype)
    before = {name: one.detach().clone() for name, one in base.model.named_parameters()}
    ids = torch.arange(40).view(2, 20)
    with torch.no_grad():
        answered = base.model(ids).logits
        base.model(ids[:, :1])
    base.model.train()
    hidden = base.model.get_input_embeddings()(ids).detach().requires_grad_(True)
    trained = base.model(inputs_embeds=hidden).logits
    trained.float().logsumexp(-1).sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.abs().sum(-1).min() > 0
    assert torch.equal(trained.detach(), answered)
    for name, parameter in base.model.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_a_lora_adapter_learns_on_it_before_and_after_answering(load: Load) -> None:
    base = load("llama")
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])
    register(config)
    with known_warnings_silenced():
        lora = peft.get_peft_model(base.model, config)
    optimizer = torch.optim.AdamW([p for p in lora.parameters() if p.requires_grad], lr=1e-2)
    ids = torch.arange(32).view(1, 32)

    def learn() -> float:
        lora.train()
        loss = lora(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    first = [learn() for _ in range(5)]
    lora.eval()
    with torch.no_grad():
        lora(input_ids=ids[:, :1])
    second = [learn() for _ in range(5)]
    assert first[0] > first[-1] > second[0] > second[-1]


def test_the_identity_does_not_depend_on_how_the_file_is_laid_out(
    folder: Path, tmp_path: Path
) -> None:
    facts = read_facts(folder)
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    names = sorted(tensors, reverse=True)
    parts = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for part, chosen in zip(parts, (names[::2], names[1::2]), strict=True):
        safetensors.torch.save_file({one: tensors[one] for one in chosen}, part, {"a": "b"})
    assert tensors_digest(parts) == tensors_digest(parts[::-1]) == facts.tensors_sha256


def test_the_identity_changes_with_the_weights_and_with_what_the_config_means(
    folder: Path,
) -> None:
    facts = read_facts(folder)
    config = known_config(json.loads((folder / "config.json").read_text()))
    assert base_identity(config, facts.tensors_sha256) == facts.identity
    assert base_identity(config | {"rms_norm_eps": 1e-5}, facts.tensors_sha256) != facts.identity
    assert base_identity(config, "0" * 64) != facts.identity
    same = base_identity(config | {"pad_token_id": 5}, facts.tensors_sha256)
    assert same == facts.identity


def test_old_and_new_ways_to_write_the_rotary_base_are_one_base() -> None:
    common = {
        "model_type": "llama", "vocab_size": 10, "hidden_size": 64, "intermediate_size": 64,
        "num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 64,
    }  # fmt: skip
    old = known_config(
        common | {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}}
    )
    new = known_config(
        common | {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500000.0}}
    )
    assert base_identity(old, "") == base_identity(new, "")


@pytest.mark.parametrize("part", ["q_proj.weight", "absmax", "embed_tokens.weight", "norm.weight"])
def test_verify_finds_one_flipped_bit_and_names_the_file(folder: Path, part: str) -> None:
    from trainer.tensor_file import read_layout

    verify(folder)
    tensors = read_layout(folder / "model.safetensors").tensors
    tensor = next(tensors[name] for name in sorted(tensors) if name.endswith(part))
    flip(folder / "model.safetensors", tensor.start + tensor.size // 2)
    with pytest.raises(errors.BaseDamaged, match=r"model\.safetensors"):
        verify(folder)


def test_a_truncated_file_is_named_at_loading(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(errors.BaseDamaged, match=r"model\.safetensors"):
        load_base(folder)


@pytest.mark.parametrize("place", [3, 40, 700])
def test_a_changed_header_is_found_at_loading(folder: Path, place: int) -> None:
    flip(folder / "model.safetensors", place)
    with pytest.raises(errors.BaseDamaged, match=r"model\.safetensors"):
        load_base(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja"])
def test_a_changed_small_file_is_named_at_loading(folder: Path, name: str) -> None:
    flip(folder / name, 30)
    with pytest.raises(errors.BaseDamaged, match=name):
        load_base(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "nightloom.json"]
)
def test_a_missing_file_is_named_at_loading(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(errors.BaseMissing, match=name):
        load_base(folder)


def test_a_base_of_a_newer_nightloom_is_refused_politely(folder: Path) -> None:
    change_facts(folder, format=2)
    with pytest.raises(errors.BaseTooNew, match=r"format 2.*update nightloom"):
        load_base(folder)


@pytest.mark.parametrize(
    "facts",
    [
        {"identity": "0" * 64},
        {"identity": None},
        {"files": {"../../etc/passwd": "0" * 64}},
        {"files": {}},
        {"weights_bytes": "many"},
        {"context_tokens": 10**9},
        {"bits_per_character": []},
    ],
)
def test_made_up_facts_are_refused(folder: Path, facts: dict[str, object]) -> None:
    change_facts(folder, **facts)
    with pytest.raises(errors.BaseDamaged):
        load_base(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": 1000},
        {"num_hidden_layers": -1},
        {"num_attention_heads": 0},
        {"num_attention_heads": 7},
        {"hidden_size": 10**12},
        {"hidden_act": "os.system"},
        {"rope_parameters": {"rope_type": "evil", "rope_theta": 1.0}},
        {"rope_parameters": {"rope_type": "default", "rope_theta": float("inf")}},
        {"vocab_size": 3},
        {"intermediate_size": 192},
    ],
)
def test_a_hostile_config_is_refused(folder: Path, change: dict[str, object]) -> None:
    """Even when whoever made it recorded matching digests."""
    import hashlib

    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    facts = read_facts(folder)
    try:
        identity = base_identity(known_config(json.loads(path.read_text())), facts.tensors_sha256)
    except errors.BaseDamaged:
        identity = facts.identity
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    change_facts(folder, identity=identity, files=facts.files | {"config.json": digest})
    with pytest.raises(errors.BaseDamaged):
        load_base(folder)


def test_a_config_cannot_name_code_to_fetch() -> None:
    config = known_config(
        {
            "model_type": "llama", "vocab_size": 10, "hidden_size": 64, "intermediate_size": 64,
            "num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 64,
            "attn_implementation": "stranger/kernels", "_attn_implementation": "stranger/kernels",
        }
    )  # fmt: skip
    assert "stranger/kernels" not in str(config)


def test_malformed_json_is_named(folder: Path) -> None:
    (folder / "nightloom.json").write_text("[" * 100_000)
    with pytest.raises(errors.BaseDamaged, match=r"nightloom\.json"):
        load_base(folder)


def test_importing_the_trainer_forbids_the_hub() -> None:
    import os

    import huggingface_hub.constants

    assert os.environ["HF_HUB_OFFLINE"] == os.environ["TRANSFORMERS_OFFLINE"] == "1"
    assert huggingface_hub.constants.HF_HUB_OFFLINE
