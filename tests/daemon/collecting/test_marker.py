"""The word in a file that keeps it out."""

import pytest

from daemon.collecting.marker import FIRST_LINES, is_marked_off


@pytest.mark.parametrize(
    "line",
    [
        "nightloom: off",
        "Nightloom: OFF",
        "  nightloom:off  ",
        "# nightloom: off",
        "## nightloom: off",
        "#+nightloom: off",
        "// nightloom: off",
        "<!-- nightloom: off -->",
        "<!--nightloom: off-->",
        "% nightloom: off",
        "; nightloom: off",
        'nightloom: "off"',
        "nightloom: false",
        "nightloom: no  # my own",
    ],
)
def test_a_marker_in_the_first_lines_counts_after_any_sign_of_a_comment(line: str) -> None:
    assert is_marked_off(f"{line}\nDear diary")
    assert is_marked_off(f"Title\n\n{line}")
    assert is_marked_off("\n" * (FIRST_LINES - 1) + line)


@pytest.mark.parametrize(
    "line",
    [
        "nightloom: on",
        "nightloom: offer",
        "nightloom off",
        "I set nightloom: off in some files",
        "nightloom: off, they said",
        "mynightloom: off",
        "nightloom: 'off\"",
        "- nightloom: off",
    ],
)
def test_other_words_are_no_marker(line: str) -> None:
    assert not is_marked_off(f"{line}\nDear diary")


def test_a_marker_further_down_is_text() -> None:
    assert not is_marked_off("\n" * FIRST_LINES + "nightloom: off")


def test_all_of_the_front_matter_is_looked_at_and_nothing_behind_it() -> None:
    fields = "\n".join(f"key{number}: value" for number in range(20))
    assert is_marked_off(f"---\n{fields}\nnightloom: off\n---\nDear diary")
    assert not is_marked_off(f"---\n{fields}\n---\nnightloom: off\n")
    assert not is_marked_off(f"{fields}\n---\nnightloom: off\n---\n")
    assert is_marked_off("---\ntitle: x\n...\nnightloom: off")  # within the first lines as well


def test_front_matter_without_an_end_is_looked_at_for_so_far_only() -> None:
    assert not is_marked_off("---\n" + "key: value\n" * 100_000 + "nightloom: off")


def test_an_empty_file_and_a_hostile_line_are_no_marker() -> None:
    assert not is_marked_off("")
    assert not is_marked_off("#" * 1_000_000 + " nightloom: off" + " " * 1_000_000)
