"""What a base may be called, and what a user means by PATH_OR_HUB_ID."""

from pathlib import Path

import pytest

from daemon.adding import errors
from daemon.adding.names import FromFolder, FromHub, base_name, is_name, is_revision, read_source


def test_a_folder_wins_over_an_id_of_the_same_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_source("Qwen/Qwen3-0.6B") == FromHub(repository="Qwen/Qwen3-0.6B")

    (tmp_path / "Qwen" / "Qwen3-0.6B").mkdir(parents=True)

    assert read_source("Qwen/Qwen3-0.6B") == FromFolder(path=tmp_path / "Qwen" / "Qwen3-0.6B")


@pytest.mark.parametrize("text", ["/nowhere", "./a/b", "../b", "a/b/c", "a/b/", "~nobody/a"])
def test_a_path_with_nothing_at_it_is_no_id(text: str) -> None:
    with pytest.raises(errors.FolderMissing):
        read_source(text)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    with pytest.raises(errors.NotAFolder):
        read_source(str(tmp_path / "model.gguf"))


@pytest.mark.parametrize("text", ["", "gpt2", "a b/c", "a/-b", "a/b?x", "ä/b", "a/" + "b" * 96])
def test_what_is_neither_folder_nor_id_is_told_what_an_id_is(text: str) -> None:
    with pytest.raises(errors.SourceInvalid, match="OWNER/NAME"):
        read_source(text)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Qwen2.5-1.5B-Instruct", "qwen2.5-1.5b-instruct"),
        ("My Model (v2)!", "my-model-v2"),
        ("x" * 80, "x" * 64),
    ],
)
def test_a_name_is_made_of_the_source_s_own(label: str, name: str) -> None:
    assert base_name(None, label) == name


@pytest.mark.parametrize("label", ["", "---", "模型", "builtin", "Builtin"])
def test_where_none_can_be_made_one_is_asked_for(label: str) -> None:
    with pytest.raises(errors.NameNeeded, match="--name"):
        base_name(None, label)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "a\n", "builtin", "BuiltIn", "x.partial", "x" * 65, "é"],
)
def test_names_that_would_lead_elsewhere_or_are_taken_for_good_are_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(errors.NameInvalid):
        base_name(name, "anything")


def test_a_given_name_is_kept_as_it_is() -> None:
    assert base_name("My_Own.Base-2", "anything") == "My_Own.Base-2"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("main", True),
        ("refs/pr/7", True),
        ("v0.3", True),
        ("../x", False),
        ("", False),
        ("a b", False),
    ],
)
def test_a_revision_is_a_branch_a_tag_or_a_commit(text: str, fits: bool) -> None:
    assert is_revision(text) is fits
