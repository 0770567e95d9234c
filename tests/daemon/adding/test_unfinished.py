"""The folder of an addition under way."""

import dataclasses
import json
from pathlib import Path

import pytest

from daemon.adding import errors
from daemon.adding.licence import Licence
from daemon.adding.unfinished import Addition, Record, unfinished
from daemon.adding.wanted import HubFile

RECORD = Record(
    repository="Garden/Bee",
    revision="main",
    commit="c" * 40,
    licence=Licence(name="mit", title="MIT License"),
    small=(HubFile(name="config.json", size=3, sha256=None, git_sha1="d" * 40),),
    weights=(HubFile(name="model.safetensors", size=9, sha256="e" * 64, git_sha1="f" * 40),),
)


def test_what_was_begun_is_read_back(tmp_path: Path) -> None:
    with Addition.claimed(tmp_path, "bee") as addition:
        assert addition.record() is None
        addition.write(RECORD)

    with Addition.claimed(tmp_path, "bee") as addition:
        assert addition.record() == RECORD
    assert unfinished(tmp_path) == ["bee"]


@pytest.mark.parametrize(
    "raw", ["", "[]", "{}", '{"format": 2}', json.dumps({"format": 1, "licence": {"nmae": "x"}})]
)
def test_a_record_that_says_nothing_is_none(tmp_path: Path, raw: str) -> None:
    with Addition.claimed(tmp_path, "bee") as addition:
        (Addition.folder(tmp_path, "bee") / "addition.json").write_text(raw)
        assert addition.record() is None


def test_two_commands_do_not_add_the_same_base_at_once(tmp_path: Path) -> None:
    with (
        Addition.claimed(tmp_path, "bee"),
        pytest.raises(errors.AlreadyAdding, match="named bee"),
        Addition.claimed(tmp_path, "bee"),
    ):
        pass


def test_the_base_gets_its_name_in_one_step_and_nothing_else_stays(tmp_path: Path) -> None:
    with Addition.claimed(tmp_path, "bee") as addition:
        addition.write(RECORD)
        (addition.source / "config.json").touch()
        (addition.base / "nightloom.json").touch()
        place = addition.publish()

    assert place == tmp_path / "bee"
    assert [one.name for one in tmp_path.rglob("*")] == ["bee", "nightloom.json"]


def test_a_base_that_came_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    with Addition.claimed(tmp_path, "bee") as addition:
        (tmp_path / "bee").mkdir()
        with pytest.raises(errors.NameTaken):
            addition.publish()


def test_a_base_in_other_letters_takes_the_name_too(tmp_path: Path) -> None:
    (tmp_path / "Bee").mkdir()
    with pytest.raises(errors.NameTaken, match="named Bee"), Addition.claimed(tmp_path, "bee"):
        pass


def test_dropping_one_leaves_the_others(tmp_path: Path) -> None:
    with Addition.claimed(tmp_path, "ant"):
        pass
    with Addition.claimed(tmp_path, "bee") as addition:
        addition.drop()

    assert unfinished(tmp_path) == ["ant"]


def test_holes_in_a_growing_file_take_no_disk(tmp_path: Path) -> None:
    with Addition.claimed(tmp_path, "bee") as addition:
        with (addition.base / "model.safetensors").open("wb") as file:
            file.write(b"x" * 10_000)
            file.truncate(50_000_000)
        assert 10_000 <= addition.written_bytes < 1_000_000


def test_a_record_names_the_commit_as_the_base_s_origin() -> None:
    assert dataclasses.replace(RECORD, commit="a" * 40).origin == f"hub:Garden/Bee@{'a' * 40}"
