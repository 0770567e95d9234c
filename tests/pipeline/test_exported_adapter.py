"""An exported adapter in the hands of somebody who has peft, transformers and bitsandbytes.

What loads it is the code that its README.md gives, and nothing of ours; it has to say what the
engine says.
"""

import json
import re
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from click.testing import CliRunner

from daemon.adapter_exporting import target_modules
from daemon.cli.peft_config import peft_config
from daemon.cli.peft_folder import write_adapter
from daemon.cli.root import nightloom
from daemon.exporting import pieces
from storage.records import sha256_hex
from tests.daemon.cli.fake_shelf import BEGIN
from tests.daemon.test_shelf_operations import Shelf
from tests.trainer.tiny_bases import full_precision_folder
from trainer.adapter_format import LoraShape, read_adapter_header
from trainer.base_format import read_facts
from trainer.base_model import BaseModel, load_base
from trainer.builtin_base import BUILTIN_BASE
from trainer.lora import LoraBank, known_warnings_silenced
from trainer.quantising import quantise_folder

SHAPE = LoraShape(rank=8, alpha=24.0, rslora=True, dropout=0.05)
WORDS = "My dear Zoë, the bees came back on Tuesday, and I counted every one of the hives."
BF16_STEP = 2.0**-8  # of a number, relative: bf16 keeps eight bits of it


def loud(base: BaseModel) -> LoraBank:
    """An adapter that changes what the base says by as much as a night does, and more."""
    bank = LoraBank(base.model, base.identity)
    bank.create("loud", SHAPE, seed=3)
    generator = torch.Generator().manual_seed(5)
    for name, factor in bank.parameters("loud").items():
        if ".lora_B." in name:
            factor.data = torch.randn(factor.shape, generator=generator) * 0.02
    return bank


async def exported(data: bytes, place: Path) -> Path:
    """The folder that `nightloom adapters export` writes."""
    shelf = Shelf(place)
    await shelf.lock.start(shelf.opened)
    try:
        lines = await shelf.export(await shelf.publish(data))
    finally:
        await shelf.lock.close()
        await shelf.door.close()
    write_adapter(lines, place / "export", lambda done, total: None)
    return place / "export"


def loaded_as_the_readme_says(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is there when its code has run: `model` and `tokenizer` among it."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert not re.search(r"trainer|daemon|storage|nightloom", code)
    patch.chdir(folder)
    names: dict[str, Any] = {}
    with known_warnings_silenced():
        exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.mark.timeout(120)
async def test_plain_peft_and_bitsandbytes_say_what_the_engine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = load_base(BUILTIN_BASE, compute_dtype=torch.bfloat16)
    bank = loud(ours)
    folder = await exported(bank.save("loud"), tmp_path)
    theirs = loaded_as_the_readme_says(folder, monkeypatch)

    ids = torch.tensor([list(ours.tokenizer.encode_prompt(WORDS))])
    assert theirs["tokenizer"](WORDS).input_ids == ids[0, 1:].tolist()  # without the begin mark
    with bank.serving(None):
        bare = ours.model(ids).logits[0].float()
    with bank.serving("loud"):
        mine = ours.model(ids).logits[0].float()
    with torch.no_grad():
        plain = theirs["model"](ids).logits[0].float()

    assert_same(mine, plain, bare)
    scale = mine.abs().amax(dim=-1, keepdim=True)
    assert ((mine - plain).abs() / scale).max() < 8 * BF16_STEP  # eight layers, each rounded


def assert_same(mine: torch.Tensor, plain: torch.Tensor, bare: torch.Tensor) -> None:
    """The same logits but for rounding, and where there is a clear choice the same choice.

    Args:
        bare: without the adapter, all three (tokens, vocabulary).
    """
    changed = (mine - bare).abs().mean()
    apart = (mine - plain).abs()
    assert changed > 0.05 * mine.abs().mean(), "the adapter has to matter"
    assert apart.mean() < 0.1 * changed
    best = mine.topk(2).values
    clear = best[:, 0] - best[:, 1] > 2 * apart.amax(dim=-1)
    assert clear.sum() > len(clear) / 2
    assert torch.equal(mine.argmax(-1)[clear], plain.argmax(-1)[clear])


@pytest.mark.timeout(120)
def test_a_base_of_the_hub_is_made_the_same_4_bit_one_as_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub here is a folder: what it gives is a model in full precision."""
    hub = full_precision_folder(tmp_path / "hub", "qwen2")
    quantise_folder(
        hub, tmp_path / "nf4", name="tiny", licence="MIT", description="", origin=f"hub:{hub}@main"
    )
    ours = load_base(tmp_path / "nf4", compute_dtype=torch.bfloat16)
    bank = loud(ours)
    data = bank.save("loud")
    header = read_adapter_header(data, base=ours.identity)
    facts = BEGIN | {
        "sha256": sha256_hex(data),
        "bytes": len(data),
        "lora": asdict(header.shape),
        "target_modules": target_modules(header),
        "base": ours.identity,
        "base_model": BEGIN["base_model"] | {"origin": ours.facts.origin},
    }
    lines = [{"begin": facts}, *pieces(data), {"done": {}}]
    write_adapter(lines, tmp_path / "export", lambda done, total: None)

    theirs = loaded_as_the_readme_says(tmp_path / "export", monkeypatch)

    ids = torch.arange(3, 60).view(1, -1)
    with bank.serving(None):
        bare = ours.model(ids).logits[0].float()
    with bank.serving("loud"):
        mine = ours.model(ids).logits[0].float()
    with torch.no_grad():
        assert_same(mine, theirs["model"](ids).logits[0].float(), bare)


def test_peft_knows_every_word_of_the_config(tmp_path: Path) -> None:
    config = peft_config(BEGIN)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = peft.PeftConfig.from_pretrained(str(tmp_path))
    assert isinstance(read, peft.LoraConfig)
    assert (read.r, read.lora_alpha, read.use_rslora) == (16, 16, True)
    assert (read.auto_mapping or {})["nightloom"]["base_identity"] == BEGIN["base"]


def test_a_base_is_exported_as_it_was_recorded_and_a_damaged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTLOOM_HOME", str(tmp_path / "home"))

    def run(name: str, folder: str) -> Any:
        words = ["base", "export", name, str(tmp_path / folder), "--json"]
        return CliRunner().invoke(nightloom, words, prog_name="nightloom")

    answer = json.loads(run("builtin", "out").stdout)
    facts = read_facts(tmp_path / "out")
    assert answer["identity"] == facts.identity == read_facts(BUILTIN_BASE).identity
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"nightloom.json", "model.safetensors", *facts.files}
    assert run("builtin", "out").exit_code == 5

    damaged = tmp_path / "home" / "bases" / "damaged"
    damaged.parent.mkdir(parents=True)
    (tmp_path / "out").rename(damaged)
    with (damaged / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    refused = run("damaged", "other")
    assert refused.exit_code == 1
    assert "is damaged" in refused.stderr
    assert not (tmp_path / "other").exists()
    assert run("nothing", "other").exit_code == 1
