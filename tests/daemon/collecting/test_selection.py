"""Which paths the user's globs let in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.collecting.selection import Rule, Selection

TEXT = ("*.txt", "*.md")


@pytest.mark.parametrize("path", ["a.txt", "deep/er/b.MD", "UPPER.TXT", "notes.d/c.md"])
def test_text_files_are_in_at_any_depth(path: str) -> None:
    assert Selection(include=TEXT).of_file(path).rule is Rule.INCLUDED


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("a.jpg", Rule.NOT_INCLUDED),
        ("a.txt~", Rule.NOT_INCLUDED),
        (".git/notes.txt", Rule.HIDDEN),
        ("a/.obsidian/b.md", Rule.HIDDEN),
        (".secret.txt", Rule.HIDDEN),
    ],
)
def test_other_and_hidden_files_are_out(path: str, rule: Rule) -> None:
    verdict = Selection(include=TEXT).of_file(path)
    assert (verdict.wanted, verdict.rule) == (False, rule)


@pytest.mark.parametrize(
    ("glob", "out", "kept"),
    [
        ("drafts", "drafts/a.txt", "a.txt"),
        ("drafts/", "x/drafts/y/a.txt", "draft/a.txt"),
        ("Private*", "private letters/a.txt", "letters/private.d/../a.txt"),
        ("work/*.txt", "work/a.txt", "home/work/a.txt"),
        ("work/**", "work/deep/er/a.txt", "homework/a.txt"),
        ("**/work/*.md", "home/work/a.md", "home/work/a.txt"),
        ("a/**/z.txt", "a/z.txt", "b/z.txt"),
        ("/top.txt", "top.txt", "sub/top.txt"),
        ("[ab].txt", "x/b.txt", "x/c.txt"),
    ],
)
def test_an_exclude_wins_and_is_named(glob: str, out: str, kept: str) -> None:
    selection = Selection(include=TEXT, exclude=("never-there", glob))
    verdict = selection.of_file(out)
    assert (verdict.rule, verdict.glob) == (Rule.EXCLUDED, glob)
    if ".." not in kept:
        assert selection.of_file(kept).wanted


@given(st.text("a*?[]!/.", max_size=30), st.text("a/.", min_size=1, max_size=40))
@settings(deadline=None)
def test_no_glob_breaks_the_selection(glob: str, path: str) -> None:
    verdict = Selection(include=("*",), exclude=(glob,)).of_file(path)
    assert verdict.wanted == (verdict.rule is Rule.INCLUDED)
    assert verdict.glob == {Rule.INCLUDED: "*", Rule.EXCLUDED: glob}.get(verdict.rule)


@pytest.mark.timeout(60)  # a second of work; exponential would be years
def test_hostile_globs_are_fast() -> None:
    selection = Selection(include=("*a" * 50 + "b",), exclude=("**/a/" * 50 + "b",))
    assert not selection.of_file("a/" * 500 + "a" * 5000).wanted
