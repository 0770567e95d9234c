"""What note and office programs keep beside people's text: settings, templates, bins, lock files.

Left out of every folder, and so is what a browser saves beside a page. Obsidian's and Logseq's
settings and bins have hidden names for the most part and are left out by that; here is the rest.
Where an Obsidian vault keeps its templates is read from its settings.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.collecting.reading import Opener, read_file
from daemon.collecting.skipping import SkipReason

MOST_BYTES = 256 * 1024
_OF_A_PAGE = "_files"
_SETTINGS = ".obsidian"
# Files relative to a vault, and the name under which each has the templates' folder.
TEMPLATE_SETTINGS = (
    (f"{_SETTINGS}/templates.json", "folder"),
    (f"{_SETTINGS}/plugins/templater-obsidian/data.json", "templates_folder"),
)
_LOCKS = ("~$", ".~lock.")  # of Microsoft and LibreOffice: ~$letter.docx, .~lock.letter.odt#
_DRAWINGS = (".canvas", ".excalidraw", ".excalidraw.md")  # in text's clothes
_COPIES = ("/logseq/bak", "/logseq/version-files", "/logseq/.recycle")


def is_of_a_program(path: str, *, is_folder: bool) -> bool:
    """By its name alone."""
    if is_folder:
        return f"/{path[-40:]}".lower().endswith(_COPIES)
    name = path.rpartition("/")[2]
    return name.startswith(_LOCKS) or name.lower().endswith(_DRAWINGS)


class ProgramFiles:
    """Those of one source; the settings of each folder are read when they are asked for first."""

    def __init__(self, root: Path, open_file: Opener) -> None:
        self._root = root
        self._open_file = open_file
        self._templates: dict[str, frozenset[str]] = {}  # by the vault's folder

    def again(self) -> None:
        """Read the settings anew when they are asked for next."""
        self._templates = {}

    def have(self, path: str, *, is_folder: bool) -> bool:
        """Whether `path`, in a folder that is wanted, is a program's."""
        if is_of_a_program(path, is_folder=is_folder):
            return True
        if not is_folder:
            return False
        return self._is_of_a_page(path) or any(path in self._of_vault(one) for one in _above(path))

    def _is_of_a_page(self, path: str) -> bool:
        """What a browser saves beside `page.html`: `page_files`, with frames and banners in it."""
        page = path.removesuffix(_OF_A_PAGE)
        return page != path and any(
            (self._root / f"{page}{suffix}").is_file() for suffix in (".html", ".htm")
        )

    def _of_vault(self, folder: str) -> frozenset[str]:
        known = self._templates.get(folder)
        if known is None:
            known = self._templates[folder] = frozenset(self._read(folder))
        return known

    def _read(self, folder: str) -> Iterator[str]:
        if not (self._root / folder / _SETTINGS).is_dir():
            return
        for name, key in TEMPLATE_SETTINGS:
            path = f"{folder}/{name}" if folder else name
            content = read_file(self._root, path, most_bytes=MOST_BYTES, open_file=self._open_file)
            if isinstance(content, SkipReason):
                continue
            place = _said(content.data, key)
            if place:
                yield f"{folder}/{place}" if folder else place


def _said(data: bytes, key: str) -> str:
    """A path in a vault's settings; empty where there is none."""
    try:
        settings: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    place = settings.get(key) if isinstance(settings, dict) else None
    return place.strip("/") if isinstance(place, str) else ""


def _above(path: str) -> Iterator[str]:
    """The folders that `path` lies in, from the nearest to the source itself, which is empty."""
    while path:
        path = path.rpartition("/")[0]
        yield path
