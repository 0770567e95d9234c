"""What of a repository is downloaded, and how much disk that needs."""

import pytest

from daemon.adding import errors
from daemon.adding.wanted import (
    MARGIN_BYTES,
    SMALL_FILE_LIMIT_BYTES,
    HubFile,
    room,
    shards,
    wanted,
)


def file(name: str, size: int = 10, sha256: str | None = "0" * 64) -> HubFile:
    return HubFile(name=name, size=size, sha256=sha256, git_sha1=None)


def files(*names: str) -> list[HubFile]:
    return [file(name) for name in names]


SOUND = ("config.json", "tokenizer.json", "model.safetensors")


def test_one_file_of_weights_is_enough() -> None:
    chosen = wanted(files(*SOUND, "README.md", "pytorch_model.bin"))

    assert [one.name for one in (*chosen.first, *chosen.then, *chosen.weights)] == [
        "config.json", "tokenizer.json", "model.safetensors",
    ]  # fmt: skip


def test_with_an_index_all_safetensors_may_be_meant_and_the_index_decides() -> None:
    chosen = wanted(
        files("config.json", "tokenizer.json", "model.safetensors.index.json", "b.safetensors",
              "a.safetensors", "consolidated.safetensors")
    )  # fmt: skip

    assert [one.name for one in shards(chosen.weights, ["a.safetensors", "b.safetensors"])] == [
        "a.safetensors", "b.safetensors",
    ]  # fmt: skip
    with pytest.raises(errors.RepositoryLacks, match=r"has no c\.safetensors"):
        shards(chosen.weights, ["a.safetensors", "c.safetensors"])


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "x.pth", "x.ckpt", "x.pkl"])
def test_pickles_alone_are_refused_by_name(name: str) -> None:
    with pytest.raises(errors.OnlyPickles, match=name):
        wanted(files("config.json", "tokenizer.json", name))


@pytest.mark.parametrize("name", SOUND)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(errors.RepositoryLacks, match=rf"has no {name}"):
        wanted(files(*(one for one in SOUND if one != name)))


def test_weights_in_a_folder_of_the_repository_are_not_the_model_s() -> None:
    with pytest.raises(errors.RepositoryLacks):
        wanted(files("config.json", "tokenizer.json", "onnx/model.safetensors"))


def test_a_small_file_that_is_large_is_refused() -> None:
    with pytest.raises(errors.FileTooLarge, match=r"tokenizer\.json"):
        wanted([*files("config.json", "model.safetensors"),
                file("tokenizer.json", SMALL_FILE_LIMIT_BYTES + 1)])  # fmt: skip


def test_a_file_without_a_digest_is_refused_and_its_name_cannot_drive_a_terminal() -> None:
    with pytest.raises(errors.FileUnverifiable, match=r"no digest for \?\[2J\.safetensors,"):
        wanted([*files("config.json", "tokenizer.json", "model.safetensors.index.json"),
                file("\x1b[2J.safetensors", sha256=None)])  # fmt: skip


def test_disk_is_needed_for_the_result_and_the_largest_shard() -> None:
    waiting = [file("a", 500), file("b", 900), file("c", 100)]

    found = room(base_bytes=400, written_bytes=0, waiting=waiting, downloaded_bytes=0, free=1300)

    assert (found.base, found.download) == (400, 900)
    assert found.needed == 1300 + MARGIN_BYTES
    assert not found.enough


def test_what_is_on_the_disk_already_needs_no_room() -> None:
    found = room(
        base_bytes=400,
        written_bytes=300,
        waiting=[file("b", 900)],
        downloaded_bytes=850,
        free=150 + MARGIN_BYTES,
    )

    assert (found.base, found.download, found.enough) == (100, 50, True)


def test_a_full_block_too_much_is_no_negative_need() -> None:
    found = room(base_bytes=400, written_bytes=512, waiting=[], downloaded_bytes=0, free=0)

    assert (found.base, found.download) == (0, 0)
