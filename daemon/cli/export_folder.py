"""The folder of an export: made beside its place, filled as the lines come, renamed when whole.

    documents/00000012-to-ada.md   one file for each version of each document
    documents.jsonl                what is known of each, and the name of its file
    adapters/SHA256.safetensors    and SHA256.json with its facts
    nights.jsonl, events.jsonl     the ledger

Folders are 0700, files 0600. Names are made of plain letters and digits, whatever the service says.
"""

import base64
import binascii
import contextlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from daemon.cli.errors import ExportBroken
from daemon.cli.private_folder import created, private_folder
from ipc.errors import AnswerCutShort

Json = dict[str, Any]

LONGEST_NAME = 60
LEDGER = ("nights", "events")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_export(lines: Iterable[Json], folder: Path) -> Json:
    """The counts of what was written, and the folder. Nothing stays there if it fails.

    Raises:
        ExportFolderTaken: somebody put something there.
        ExportBroken: the service sent what does not belong together.
        AnswerCutShort: it went away.
        OSError: the system refused.
    """
    with private_folder(folder) as draft:
        done = _Writer(draft).take(lines)
    return done | {"folder": str(folder.absolute())}


class _Writer:
    """Takes the lines of one export, in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("documents", "adapters"):
            (folder / name).mkdir(mode=0o700)

    def take(self, lines: Iterable[Json]) -> Json:
        with contextlib.ExitStack() as stack:
            lists = {
                name: stack.enter_context(created(self._folder / f"{name}.jsonl"))
                for name in ("documents", *LEDGER)
            }
            entries = iter(lines)
            for entry in entries:
                if "begin" in entry:
                    self._file(entry["begin"], entries, lists["documents"])
                elif entry.get("of") in LEDGER:
                    _write_line(lists[entry["of"]], entry["record"])
                elif "done" in entry:
                    return dict(entry["done"])
                else:
                    raise ExportBroken
        raise AnswerCutShort

    def _file(self, facts: Json, entries: Iterator[Json], documents: IO[bytes]) -> None:
        """One document or adapter, up to its end."""
        adapter = facts.get("kind") == "adapter"
        path = self._adapter(facts) if adapter else self._document(facts)
        size = 0
        with created(path) as file:
            for entry in entries:
                if "piece" not in entry:
                    break
                try:
                    size += file.write(base64.b64decode(entry["piece"], validate=True))
                except (binascii.Error, TypeError):
                    raise ExportBroken from None
            else:
                raise AnswerCutShort
        if "end" not in entry or entry["end"].get("bytes") != size:
            raise ExportBroken
        about = facts | {"file": str(path.relative_to(self._folder))}
        if adapter:
            with created(path.with_suffix(".json")) as file:
                _write_line(file, about)
        else:
            _write_line(documents, about)

    def _document(self, facts: Json) -> Path:
        try:
            number = int(facts["document"])
        except (KeyError, TypeError, ValueError):
            raise ExportBroken from None
        name = safe_name(str(facts.get("path", "")))
        return self._folder / "documents" / f"{number:08d}{'-' if name else ''}{name}"

    def _adapter(self, facts: Json) -> Path:
        digest = str(facts.get("sha256", ""))
        if not _DIGEST.fullmatch(digest):
            raise ExportBroken
        return self._folder / "adapters" / f"{digest}.safetensors"


def safe_name(path: str) -> str:
    """The last part of a path in plain letters, digits, `-` and at most one dot; may be empty."""
    stem, dot, ending = path.rpartition("/")[2].rpartition(".")
    if not dot:
        stem, ending = ending, ""
    plain = (_plain(part) for part in (stem, ending))
    name, suffix = (part[:length] for part, length in zip(plain, (LONGEST_NAME, 10), strict=True))
    return f"{name}.{suffix}" if suffix else name


def _plain(part: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", ascii_only).strip("-")


def _write_line(file: IO[bytes], record: Any) -> None:
    file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
