"""What note and office programs keep for themselves is no text of the user's."""

import json
from pathlib import Path

import pytest

from daemon.collecting.folder_source import FolderSource
from daemon.collecting.skipping import Skipped
from tests.daemon.collecting.parts import LIMIT, source_settings, write


def finds(folder: Path) -> dict[str, str]:
    source = FolderSource(source_settings(folder), most_bytes=LIMIT)
    return {
        one.path: str(one.reason) if isinstance(one, Skipped) else "found" for one in source.scan()
    }


def test_an_obsidian_vault_gives_its_notes_and_not_its_settings(tmp_path: Path) -> None:
    write(tmp_path / "vault/.obsidian/templates.json", json.dumps({"folder": "meta/Templates/"}))
    templater = "vault/.obsidian/plugins/templater-obsidian/data.json"
    write(tmp_path / templater, json.dumps({"templates_folder": "Scripts"}))
    for name in ("meta/Templates/day.md", "Scripts/a.md", "meta/a.md", "Templates/b.md",
                 ".trash/c.md", "board.canvas", "sketch.excalidraw.md"):  # fmt: skip
        write(tmp_path / "vault" / name, "words")
    write(tmp_path / "Scripts/mine.md", "not in the vault")
    assert finds(tmp_path) == {
        "vault/.obsidian": "hidden",
        "vault/.trash": "hidden",
        "vault/meta/Templates": "of_a_program",
        "vault/Scripts": "of_a_program",
        "vault/board.canvas": "of_a_program",
        "vault/sketch.excalidraw.md": "of_a_program",
        "vault/meta/a.md": "found",
        "vault/Templates/b.md": "found",
        "Scripts/mine.md": "found",
    }


def test_a_logseq_graph_gives_its_pages_and_not_its_copies(tmp_path: Path) -> None:
    for name in ("pages/bees.md", "journals/2024_03_01.md", "logseq/bak/pages/bees/1.md",
                 "logseq/.recycle/gone.md", "logseq/version-files/base/pages/bees.md"):  # fmt: skip
        write(tmp_path / "graph" / name, "words")
    write(tmp_path / "graph/logseq/config.edn", "{}")
    assert finds(tmp_path) == {
        "graph/logseq/.recycle": "hidden",
        "graph/logseq/bak": "of_a_program",
        "graph/logseq/version-files": "of_a_program",
        "graph/logseq/config.edn": "not_included",
        "graph/pages/bees.md": "found",
        "graph/journals/2024_03_01.md": "found",
    }


def test_lock_files_of_office_programs_are_left_out(tmp_path: Path) -> None:
    for name in ("~$letter.docx", ".~lock.letter.odt#", "letter.docx"):
        write(tmp_path / name, "x")
    assert finds(tmp_path) == {
        "~$letter.docx": "of_a_program",
        ".~lock.letter.odt#": "hidden",
        "letter.docx": "found",
    }


def test_what_a_browser_saves_beside_a_page_is_left_out(tmp_path: Path) -> None:
    for name in ("page.html", "page_files/frame.html", "my_files/a.html", "_files/b.html"):
        write(tmp_path / name, "x")
    assert finds(tmp_path) == {
        "page.html": "found",
        "page_files": "of_a_program",
        "my_files/a.html": "found",
        "_files/b.html": "found",
    }


@pytest.mark.parametrize(
    "settings", ["", "{", "[]", '{"folder": 3}', '{"folder": ""}', '{"folder": "/"}', "[" * 100_000]
)
def test_strange_settings_leave_nothing_out(tmp_path: Path, settings: str) -> None:
    write(tmp_path / ".obsidian/templates.json", settings)
    write(tmp_path / "sub/a.md", "words")
    assert finds(tmp_path) == {".obsidian": "hidden", "sub/a.md": "found"}
