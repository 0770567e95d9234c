"""Looking for words that must not lie in clear: in every file of some folders, and in /proc."""

import json
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


def needles(words: Iterable[str]) -> list[bytes]:
    """Every way in which a word could be written: encodings, normal forms, JSON's escapes."""
    found = set()
    for word in words:
        forms = {word, *(unicodedata.normalize(form, word) for form in ("NFC", "NFD"))}
        forms |= {json.dumps(form)[1:-1] for form in forms}
        found |= {form.encode(encoding) for form in forms for encoding in ENCODINGS}
    return sorted(found)


def files_with(wanted: list[bytes], *places: Path) -> list[str]:
    """The files at or below the places that hold something of what is wanted."""
    return [str(file) for file in _files(places) if _holds(file, wanted)]


def process_files_with(wanted: list[bytes], pids: Iterable[int]) -> list[str]:
    """The same in what a process was started with. What nobody may read holds nothing for them."""
    found = []
    for file in (Path(f"/proc/{pid}/{name}") for pid in pids for name in ("environ", "cmdline")):
        with suppress(PermissionError, ProcessLookupError):
            found += files_with(wanted, file)
    return found


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from (place.rglob("*") if place.is_dir() else [place])


def _holds(file: Path, wanted: list[bytes]) -> bool:
    try:
        content = file.read_bytes() if file.is_file() else b""  # a folder, a socket
    except FileNotFoundError:
        return False  # it went while we looked
    return any(needle in content for needle in wanted)
