"""A base from a folder on this machine: the real maker, in its own process."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.adding import errors
from daemon.adding.addition import Progress, add_from_folder
from daemon.adding.licence import Licence
from daemon.adding.maker_handle import MakerHandle
from daemon.adding.names import FromFolder
from daemon.adding.unfinished import Addition, unfinished
from tests.daemon.adding.test_unfinished import RECORD
from trainer.base_identity import verify
from trainer.base_model import load_base


class Notes:
    """A `Watcher` that accepts and writes down."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.licences: list[Licence] = []
        self.stages: dict[str, list[tuple[int, int]]] = {}

    def say(self, line: str) -> None:
        self.said.append(line)

    def accept(self, licence: Licence) -> None:
        self.licences.append(licence)

    @contextmanager
    def stage(self, words: str, unit: str) -> Iterator[Progress]:
        seen = self.stages.setdefault(words, [])
        yield lambda done, total: seen.append((done, total))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def bases(tmp_path: Path) -> Path:
    folder = tmp_path / "bases"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    """A copy, to be broken."""
    return Path(shutil.copytree(source, tmp_path / "Bee Tiny"))


def test_a_folder_becomes_a_base_and_stays_as_it_was(
    bases: Path, folder: Path, notes: Notes
) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    before = {one.name: one.stat().st_mtime_ns for one in folder.iterdir()}

    facts = add_from_folder(bases, "bee", FromFolder(path=folder), notes)

    assert {one.name: one.stat().st_mtime_ns for one in folder.iterdir()} == before
    assert [one.name for one in bases.iterdir()] == ["bee"]
    assert facts["origin"] == "folder:Bee Tiny"
    assert notes.licences == [Licence(name="mit", title="The Beekeepers' Licence")]
    assert facts["licence"] == "mit"
    verify(bases / "bee")
    assert load_base(bases / "bee").identity == facts["identity"]
    done, total = notes.stages["reading the result once more"][-1]
    assert done == total > 1_000_000
    (tensors,) = {total for words, seen in notes.stages.items() if words.startswith("quantising")
                  for _, total in seen}  # fmt: skip
    assert tensors == 27


def test_the_maker_has_no_network(folder: Path) -> None:
    with MakerHandle() as maker:
        assert maker._ask("check", source=str(folder)) == {
            "architecture": "qwen2", "network_denied": True,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("model-00002-of-00003.safetensors", "has no model-00002-of-00003"),
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer.json"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_left(
    bases: Path, folder: Path, notes: Notes, missing: str, said: str
) -> None:
    (folder / missing).unlink()

    with pytest.raises(errors.BaseNotMade, match=said):
        add_from_folder(bases, "bee", FromFolder(path=folder), notes)

    assert list(bases.iterdir()) == []


def test_pickles_are_refused_unread(bases: Path, folder: Path, notes: Notes) -> None:
    for one in folder.glob("*.safetensors*"):
        one.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")

    with pytest.raises(errors.BaseRefused, match=r"can run code \(pytorch_model\.bin\)"):
        add_from_folder(bases, "bee", FromFolder(path=folder), notes)


def test_a_shard_that_is_cut_off_is_named_before_any_is_quantised(
    bases: Path, folder: Path, notes: Notes
) -> None:
    shard = folder / "model-00003-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-10])

    with pytest.raises(errors.BaseNotMade, match=shard.name):
        add_from_folder(bases, "bee", FromFolder(path=folder), notes)

    assert notes.stages == {}


def test_no_room_is_said_with_figures_before_anything_is_quantised(
    bases: Path, folder: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(bases)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(errors.NoRoom, match=r"needs 69 MB of disk \(2 MB .* only 1 MB are free"):
        add_from_folder(bases, "bee", FromFolder(path=folder), notes)

    assert notes.stages == {}
    assert list(bases.iterdir()) == []


def test_a_maker_that_is_killed_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with MakerHandle() as maker:
        maker.check(folder)
        maker._process.kill()
        with pytest.raises(errors.MakerDied, match="run the command again"):
            maker.check(folder)


def test_a_defect_of_the_maker_names_its_place_and_ends_nothing_for_good(tmp_path: Path) -> None:
    with MakerHandle() as maker:
        with pytest.raises(errors.MakerStopped, match=r"\(AssertionError at maker\.py:\d+\)"):
            maker.take("model.safetensors")
        with pytest.raises(errors.BaseNotMade, match=r"no config\.json"):
            maker.check(tmp_path)


def test_what_was_begun_from_the_hub_is_not_mixed_with_a_folder(
    bases: Path, folder: Path, notes: Notes
) -> None:
    with Addition.claimed(bases, "bee") as addition:
        addition.write(RECORD)

    with pytest.raises(errors.OtherUnfinished, match="hub:Garden/Bee"):
        add_from_folder(bases, "bee", FromFolder(path=folder), notes)

    assert unfinished(bases) == ["bee"]
