"""A base that grows shard by shard, is interrupted, and is taken up again."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainer.tiny_bases import full_precision_folder
from trainer import errors
from trainer.base_format import BaseFacts, check_folder
from trainer.base_identity import verify
from trainer.base_making import BaseInMaking
from trainer.quantising import quantise_folder
from trainer.source_files import INDEX_FILE


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    return full_precision_folder(tmp_path / "sharded", "qwen2", shard_bytes=60_000)


def finished(making: BaseInMaking) -> BaseFacts:
    return making.finish(name="tiny", licence="MIT", description="For tests.")


def test_a_shard_is_needed_only_while_it_is_taken(sharded: Path, tmp_path: Path) -> None:
    whole = quantise_folder(
        sharded, tmp_path / "whole", name="tiny", licence="MIT", description="For tests."
    )
    kept = Path(shutil.copytree(sharded, tmp_path / "kept"))
    for shard in sharded.glob("*.safetensors"):
        shard.unlink()

    making = BaseInMaking(sharded, tmp_path / "grown")
    for name in making.shards:
        shutil.copy(kept / name, sharded)
        making.take(sharded / name)
        (sharded / name).unlink()

    assert len(making.shards) > 2
    assert finished(making) == whole
    verify(tmp_path / "grown")


def test_what_was_taken_before_an_interruption_is_not_needed_again(
    sharded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "grown"
    first = BaseInMaking(sharded, folder)
    first.take(sharded / first.shards[0])
    (sharded / first.shards[0]).unlink()
    inode = (folder / "model.safetensors").stat().st_ino

    again = BaseInMaking(sharded, folder)
    seen: list[int] = []
    assert again.waiting == first.shards[1:]
    for name in again.waiting:
        again.take(sharded / name, lambda done, total: seen.append(done))

    assert seen == sorted(seen)
    assert seen[0] > 1  # counted on from what was there
    assert (folder / "model.safetensors").stat().st_ino == inode
    finished(again)
    verify(folder)
    assert not (folder / "taken.json").exists()


def test_an_interrupted_shard_is_taken_again_whole(sharded: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    making = BaseInMaking(sharded, tmp_path / "grown")
    with pytest.raises(KeyboardInterrupt):
        making.take(sharded / making.shards[0], interrupt)

    again = BaseInMaking(sharded, tmp_path / "grown")
    assert again.waiting == again.shards
    for name in again.waiting:
        again.take(sharded / name)
    finished(again)
    verify(tmp_path / "grown")


@pytest.mark.parametrize("listed", [b"", b"[]", b'{"taken": ["model.safetensors"]}', b"\xff"])
def test_a_list_of_taken_shards_that_says_nothing_is_no_list(
    sharded: Path, tmp_path: Path, listed: bytes
) -> None:
    making = BaseInMaking(sharded, tmp_path / "grown")
    making.take(sharded / making.shards[0])
    (tmp_path / "grown" / "taken.json").write_bytes(listed)

    assert BaseInMaking(sharded, tmp_path / "grown").waiting == making.shards


def test_what_was_left_by_another_model_is_thrown_away(sharded: Path, tmp_path: Path) -> None:
    making = BaseInMaking(sharded, tmp_path / "grown")
    making.take(sharded / making.shards[0])
    other = full_precision_folder(tmp_path / "other", "qwen3", shard_bytes=60_000)

    again = BaseInMaking(other, tmp_path / "grown")

    assert again.waiting == again.shards
    assert not (tmp_path / "grown" / "model.safetensors").exists()


def test_a_base_is_not_finished_before_its_last_shard(sharded: Path, tmp_path: Path) -> None:
    making = BaseInMaking(sharded, tmp_path / "grown")
    making.take(sharded / making.shards[0])

    with pytest.raises(ValueError, match="not taken"):
        finished(making)


def test_an_index_that_leaves_out_a_tensor_is_told_before_any_shard_is_there(
    sharded: Path, tmp_path: Path
) -> None:
    index = json.loads((sharded / INDEX_FILE).read_text())
    del index["weight_map"]["model.norm.weight"]
    (sharded / INDEX_FILE).write_text(json.dumps(index))
    for shard in sharded.glob("*.safetensors"):
        shard.unlink()

    with pytest.raises(errors.BaseMissing, match=r"model\.norm\.weight"):
        BaseInMaking(sharded, tmp_path / "grown")


@pytest.mark.parametrize(
    "file", ["../x.safetensors", "deep/x.safetensors", "x.bin", "\x1b[2J.safetensors", 7]
)
def test_an_index_that_leads_elsewhere_is_refused(
    sharded: Path, tmp_path: Path, file: object
) -> None:
    index = json.loads((sharded / INDEX_FILE).read_text())
    index["weight_map"]["model.norm.weight"] = file
    (sharded / INDEX_FILE).write_text(json.dumps(index))

    with pytest.raises(errors.BaseDamaged, match="another kind"):
        BaseInMaking(sharded, tmp_path / "grown")


@pytest.mark.parametrize(
    ("settings", "method"),
    [({"quant_method": "fp8"}, "fp8"), ({"quant_method": "\x1b["}, "unknown"), (7, "unknown")],
)
def test_weights_that_are_quantised_already_are_refused(
    sharded: Path, tmp_path: Path, settings: object, method: str
) -> None:
    config = json.loads((sharded / "config.json").read_text())
    config["quantization_config"] = settings
    (sharded / "config.json").write_text(json.dumps(config))

    with pytest.raises(errors.AlreadyQuantised, match=rf"method {method}\)"):
        BaseInMaking(sharded, tmp_path / "grown")


def test_the_text_of_the_licence_goes_with_the_base(
    sources: Callable[[str], Path], tmp_path: Path
) -> None:
    source = Path(shutil.copytree(sources("llama"), tmp_path / "source"))
    (source / "LICENSE.txt").write_text("Do as you like.")

    quantise_folder(source, tmp_path / "out", name="t", licence="own", description="For tests.")

    assert (tmp_path / "out" / "LICENSE").read_text() == "Do as you like."
    assert "LICENSE" in check_folder(tmp_path / "out").facts.files


def test_a_tokenizer_without_a_chat_template_is_told(sharded: Path, tmp_path: Path) -> None:
    assert not BaseInMaking(sharded, tmp_path / "with").plain_template
    for file in ("chat_template.jinja", "tokenizer_config.json"):
        (sharded / file).unlink(missing_ok=True)

    assert BaseInMaking(sharded, tmp_path / "without").plain_template


def test_a_full_disk_in_the_middle_is_one_sentence(
    sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = BaseInMaking(sharded, tmp_path / "grown")

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.DiskFull, match="bytes of disk"):
        making.take(sharded / making.shards[0])
