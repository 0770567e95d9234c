"""`.nightloomignore` means what `.gitignore` means; git itself is asked where it is there."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.collecting.folder_source import FolderSource
from daemon.collecting.ignoring import IGNORE_FILE, MOST_BYTES, parse_ignore_file
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile
from tests.daemon.collecting.parts import LIMIT, source_settings, write

GIT = shutil.which("git")


def found(folder: Path) -> list[str]:
    finds = FolderSource(source_settings(folder), most_bytes=LIMIT).scan()
    return sorted(find.path for find in finds if isinstance(find, FoundFile))


def skipped(folder: Path) -> dict[str, SkipReason]:
    finds = FolderSource(source_settings(folder), most_bytes=LIMIT).scan()
    return {find.path: find.reason for find in finds if isinstance(find, Skipped)}


def notes(folder: Path, *names: str) -> None:
    for name in names:
        write(folder / name, f"text of {name}")


def test_a_name_an_anchored_path_and_a_folder(tmp_path: Path) -> None:
    notes(tmp_path, "a.txt", "draft.txt", "sub/draft.txt", "sub/a.txt", "old/x.txt", "sub/old/y.md")
    write(tmp_path / IGNORE_FILE, "# mine\n/draft.txt\nold/\n\n")
    assert found(tmp_path) == ["a.txt", "sub/a.txt", "sub/draft.txt"]
    assert skipped(tmp_path) == {
        "draft.txt": SkipReason.IGNORED,
        "old": SkipReason.IGNORED,
        "sub/old": SkipReason.IGNORED,
    }


def test_what_is_taken_back_in_and_what_cannot_be(tmp_path: Path) -> None:
    notes(tmp_path, "a.md", "keep.md", "shut/keep.md", "b.txt")
    write(tmp_path / IGNORE_FILE, "*.md\nshut/\n!keep.md\n!shut/keep.md\n")
    assert found(tmp_path) == ["b.txt", "keep.md"]


def test_the_deepest_file_decides_first(tmp_path: Path) -> None:
    notes(tmp_path, "a.md", "in/a.md", "in/b.txt", "in/deep/a.md", "in/deep/b.txt")
    write(tmp_path / IGNORE_FILE, "*.md\n")
    write(tmp_path / "in" / IGNORE_FILE, "!*.md\n/b.txt\n")
    write(tmp_path / "in/deep" / IGNORE_FILE, "a.md\n")
    assert found(tmp_path) == ["in/a.md", "in/deep/b.txt"]


def test_an_ignore_file_is_no_document_and_no_hidden_file(tmp_path: Path) -> None:
    notes(tmp_path, "a.txt")
    write(tmp_path / IGNORE_FILE, "*.md\n")
    assert skipped(tmp_path) == {}


def test_a_file_said_to_have_changed_is_judged_like_one_that_is_scanned(tmp_path: Path) -> None:
    notes(tmp_path, "old/a.txt", "b.txt")
    write(tmp_path / IGNORE_FILE, "old/\n")
    source = FolderSource(source_settings(tmp_path), most_bytes=LIMIT)
    assert not source.concerns("old/a.txt", is_folder=False)
    assert source.concerns("b.txt", is_folder=False)
    assert source.concerns(IGNORE_FILE, is_folder=False)
    assert [one.path for one in source.scan("old/a.txt")] == ["old/a.txt"]
    assert all(isinstance(one, Skipped) for one in source.scan("old/a.txt"))
    assert source.excludes("old/a.txt")
    assert not source.excludes("b.txt")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe broken", b"x" * (MOST_BYTES + 1), b"a*b*c*d*e\n", b"a\n" * 3000],
    ids=["not text", "too long", "too many stars", "too many lines"],
)
def test_where_an_ignore_file_cannot_be_followed_nothing_of_its_folder_is_taken(
    tmp_path: Path, content: bytes
) -> None:
    notes(tmp_path, "a.txt", "in/b.txt", "in/deep/c.txt")
    write(tmp_path / "in" / IGNORE_FILE, content)
    assert found(tmp_path) == ["a.txt"]
    assert set(skipped(tmp_path).values()) == {SkipReason.UNREADABLE}
    source = FolderSource(source_settings(tmp_path), most_bytes=LIMIT)
    assert not source.excludes("in/b.txt")  # which would remove what was kept


def test_a_link_instead_of_an_ignore_file_is_not_followed(tmp_path: Path) -> None:
    notes(tmp_path, "a.txt")
    write(tmp_path / "elsewhere.md", "*.txt")
    (tmp_path / IGNORE_FILE).symlink_to(tmp_path / "elsewhere.md")
    assert found(tmp_path) == []


def test_lines_that_git_does_not_understand_are_left_out() -> None:
    assert len(list(parse_ignore_file("!\n\\\nfoo\\\na.txt\n").patterns)) >= 1


def test_a_hostile_pattern_is_quick_on_a_hostile_name(tmp_path: Path) -> None:
    write(tmp_path / IGNORE_FILE, "a*a*a*b\n")
    notes(tmp_path, "a" * 200 + ".txt")
    assert found(tmp_path) == ["a" * 200 + ".txt"]


def test_other_rules_are_told_by_another_mark(tmp_path: Path) -> None:
    def mark() -> bytes:
        source = FolderSource(source_settings(tmp_path), most_bytes=LIMIT)
        list(source.scan())
        return source.exclusions()

    notes(tmp_path, "a.txt", "in/b.txt")
    assert mark() == b""
    write(tmp_path / "in" / IGNORE_FILE, "b.txt")
    first = mark()
    assert first
    assert mark() == first
    write(tmp_path / "in" / IGNORE_FILE, "c.txt")
    assert mark() not in (b"", first)


# --------------------------------------------------------------------------- as git does

NAMES = ("a", "b", "foo", "bar", "keep")
PATTERNS = (
    *("a", "b/", "/foo", "foo/", "*.txt", "/a/b", "a/*", "foo/bar", "**/bar", "a/**/b", "foo/**"),
    *("!a", "!keep.txt", "!b/", "!/foo/bar", "!*.md", "f?o", "[ab].txt", "keep*", "!a/keep.md"),
    *("*", "!*/", "!foo/", "/*/a", "# not this", "\\!a", "bar.txt  "),
)


@pytest.mark.skipif(GIT is None, reason="git is not installed")
@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_out_is_what_git_leaves_out(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    root = tmp_path / "tree"
    folders = [root]
    for _ in range(12):
        folders.append(rng.choice(folders) / rng.choice(NAMES))
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in rng.sample(NAMES, 3):
            (folder / (name + rng.choice((".txt", ".md")))).write_text("words")
        if rng.random() < 0.5:
            chosen = "\n".join(rng.sample(PATTERNS, rng.randrange(1, 5)))
            (folder / IGNORE_FILE).write_text(chosen)
            (folder / ".gitignore").write_text(chosen)
    assert found(root) == _not_ignored_by_git(root)


def _not_ignored_by_git(root: Path) -> list[str]:
    def git(*words: str) -> str:
        assert GIT is not None
        return subprocess.run(
            [GIT, "-c", "core.excludesFile=/dev/null", *words],
            cwd=root, check=True, capture_output=True, text=True,
            env={"HOME": str(root.parent), "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin"},
        ).stdout  # fmt: skip

    git("init", "-q")
    listed = git("ls-files", "--others", "--exclude-standard").splitlines()
    return sorted(name for name in listed if not name.rpartition("/")[2].startswith("."))
