"""The bases on this machine: found, and removed."""

import shutil
from pathlib import Path

import pytest

from daemon.adding.errors import AlreadyAdding
from daemon.adding.unfinished import Addition
from daemon.bases import BUILTIN, Bases, shown
from daemon.errors import BaseBuiltIn, NoSuchBase, UnknownBase
from trainer.builtin_base import BUILTIN_BASE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    shutil.copy(BUILTIN_BASE / "nightloom.json", tmp_path / "mine")
    return tmp_path


def names(bases: Bases) -> list[str]:
    return [base.name for base in bases.all()]


def test_an_unfinished_addition_is_listed_with_what_can_be_done(folder: Path) -> None:
    with Addition.claimed(folder, "bee"):
        bases = Bases(folder)
        listed = shown(bases.find("bee"), in_use=False)

        assert names(bases) == [BUILTIN, "mine", "bee"]
        assert "nightloom base remove" in listed["problem"]
        assert listed["identity"] is None


def test_an_added_base_is_removed(folder: Path) -> None:
    Bases(folder).remove("mine")

    assert list(folder.iterdir()) == []


def test_an_unfinished_addition_is_dropped(folder: Path) -> None:
    with Addition.claimed(folder, "bee") as addition:
        (addition.source / "part").touch()

    Bases(folder).remove("bee")

    assert [one.name for one in folder.iterdir()] == ["mine"]


def test_one_that_is_being_added_now_is_not_dropped(folder: Path) -> None:
    with Addition.claimed(folder, "bee"), pytest.raises(AlreadyAdding):
        Bases(folder).remove("bee")


def test_the_built_in_base_stays(folder: Path) -> None:
    with pytest.raises(BaseBuiltIn):
        Bases(folder).remove(BUILTIN)


@pytest.mark.parametrize("name", ["nothing", "", "..", ".adding", "mine/../mine"])
def test_what_is_no_base_is_not_deleted(folder: Path, name: str) -> None:
    with pytest.raises(NoSuchBase):
        Bases(folder).remove(name)
    with pytest.raises(UnknownBase):
        Bases(folder).find(name)

    assert (folder / "mine" / "nightloom.json").exists()


def test_what_a_removal_left_behind_is_no_base_and_does_not_disturb_the_next(folder: Path) -> None:
    (folder / ".removing-mine" / "deep").mkdir(parents=True)
    assert names(Bases(folder)) == [BUILTIN, "mine"]

    Bases(folder).remove("mine")

    assert list(folder.iterdir()) == []
