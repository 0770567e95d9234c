"""Whether a file would be collected: by the collector's own rules, and with its own redaction."""

from pathlib import Path
from typing import Any

import pytest

from daemon.trial import Trial, settings_in, source_of, try_file, try_text
from storage.records import SourceSettings

TEXT = "Write to ada@example.org about the hives, and to ada@example.org again.\n"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "spring.md").write_text(TEXT)
    return folder


def tried(file: Path, folder: Path, **given: Any) -> Trial:
    known = {name: given.pop(name) for name in ("exclude", "retention_days") if name in given}
    settings = SourceSettings(name="letters", kind="folder", path=str(folder), **known)
    told: dict[str, Any] = {
        "own_folders": (folder.parent / "home",),
        "most_bytes": 1000,
        "exclusions": (),
        "states": {"letters": "watching"},
    }
    return try_file(file, [settings], **told | given)


def test_a_wanted_file_is_wanted_and_its_secrets_are_named(notes: Path) -> None:
    trial = tried(notes / "spring.md", notes)
    assert (trial.reason, trial.source, trial.path) == ("wanted", "letters", "spring.md")
    assert [(n, r.kind, TEXT[r.start : r.end]) for n, r in trial.redactions] == [
        (0, "email", "ada@example.org"),
        (0, "email", "ada@example.org"),
    ]
    assert "hives" not in repr(trial)
    assert "spring" not in repr(trial)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("table.csv", b"a,b", "not_included"),
        (".private.md", b"text", "hidden"),
        (".git/notes.md", b"text", "hidden"),
        ("empty.md", b"", "empty"),
        ("bytes.md", bytes(range(256)), "binary"),
        ("long.md", b"a" * 1001, "too_large"),
        ("broken.docx", b"PK\x03\x04, and no more", "damaged"),  # in a real child
        ("off.md", b"nightloom: off\n\nNot this one.\n", "marked"),
        ("missing.md", None, "vanished"),
    ],
)
def test_the_rule_that_says_no_is_named(
    notes: Path, name: str, content: bytes | None, reason: str
) -> None:
    file = notes / name
    if content is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    trial = tried(file, notes)
    assert (trial.reason, trial.wanted, trial.redactions) == (reason, False, [])


def test_an_exclusion_says_which_glob_fitted(notes: Path) -> None:
    trial = tried(notes / "spring.md", notes, exclude=("spr*",))
    assert (trial.reason, trial.glob) == ("excluded", "spr*")
    everywhere = tried(notes / "spring.md", notes, exclusions=("*.md",))
    assert everywhere.reason == "excluded"


def test_a_file_of_ignored_names_is_heeded(notes: Path) -> None:
    (notes / ".nightloomignore").write_text("spring.md\n")
    assert tried(notes / "spring.md", notes).reason == "ignored"


def test_a_file_beyond_the_retention_is_too_old(notes: Path) -> None:
    import os

    os.utime(notes / "spring.md", (0, 0))
    assert tried(notes / "spring.md", notes, retention_days=30).reason == "too_old"


def test_a_link_and_what_lies_behind_one_are_not_followed(notes: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.md").write_text(TEXT)
    (notes / "link.md").symlink_to(elsewhere / "other.md")
    (notes / "folder").symlink_to(elsewhere)
    assert tried(notes / "link.md", notes).reason == "symlink"
    assert not tried(notes / "folder" / "other.md", notes).wanted


def test_a_source_is_found_through_a_link_to_it(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(notes)
    assert tried(tmp_path / "way" / "spring.md", notes).wanted
    assert tried(notes / ".." / "notes" / "spring.md", notes).wanted


def test_a_file_of_no_source_is_in_none(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text(TEXT)
    assert tried(tmp_path / "other.md", notes).reason == "no_source"
    assert source_of(notes, [SourceSettings(name="n", kind="folder", path=str(notes))]) is None


def test_nothing_of_nightlooms_own_folder_is_wanted(notes: Path, tmp_path: Path) -> None:
    own = tmp_path / "home" / "vault"
    own.mkdir(parents=True)
    (own / "note.md").write_text(TEXT)
    assert tried(own / "note.md", notes).reason == "own_folder"


@pytest.mark.parametrize("state", ["paused", "missing"])
def test_a_source_that_rests_collects_nothing_and_its_text_is_shown_all_the_same(
    notes: Path, state: str
) -> None:
    trial = tried(notes / "spring.md", notes, states={"letters": state})
    assert (trial.reason, trial.wanted, len(trial.redactions)) == (state, False, 2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(TEXT.encode(), "wanted"), (b"", "empty"), (bytes(200), "binary"), (b"\xff\xfeh\0", "wanted"),
     (b"---\nnightloom: off\n---\nText.\n", "marked")],
)  # fmt: skip
def test_text_without_a_file_is_judged_by_its_content(data: bytes, reason: str) -> None:
    assert try_text(data).reason == reason


def test_sources_are_taken_as_the_service_tells_them() -> None:
    told = {"name": "n", "kind": "folder", "path": "/n", "include": ["*.md"], "documents": 3}
    assert settings_in([told]) == [
        SourceSettings(name="n", kind="folder", path="/n", include=("*.md",))
    ]
