"""The folder of one exported adapter, as PEFT's users know it.

    adapter_model.safetensors   the published bytes, so its sha256 is the adapter's digest
    adapter_config.json         see `peft_config.py`
    README.md                   what it is, the warning, how to load it

The folder is 0700, files 0600.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from daemon.cli.errors import ExportBroken
from daemon.cli.peft_config import peft_config
from daemon.cli.peft_readme import readme
from daemon.cli.private_folder import created, private_folder
from ipc.errors import AnswerCutShort

Json = dict[str, Any]
Report = Callable[[int, int], None]

WEIGHTS, CONFIG, README = "adapter_model.safetensors", "adapter_config.json", "README.md"


def write_adapter(lines: Iterable[Json], folder: Path, report: Report) -> Json:
    """What was written, and the folder. Nothing stays there if it fails.

    Args:
        lines: of `ipc.shelf_api.ShelfBackend.export`.
        report: is told of bytes that are written, and of all.

    Raises:
        ExportFolderTaken: somebody put something there.
        ExportBroken: the service sent what does not belong together.
        AnswerCutShort: it went away.
        OSError: the system refused.
    """
    entries = iter(lines)
    facts = _next(entries, "begin")  # refusals come before anything is made
    with private_folder(folder) as draft:
        with created(draft / WEIGHTS) as file:
            digest = _take(entries, file, facts, report)
        try:
            config, told = peft_config(facts), readme(facts)
            intended = facts["sha256"]
        except (KeyError, TypeError, ValueError):
            raise ExportBroken from None
        if digest != intended:
            raise ExportBroken
        _write(draft / CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")
        _write(draft / README, told)
        _next(entries, "done")
    return {
        "sha256": digest,
        "folder": str(folder.absolute()),
        "bytes": facts["bytes"],
        "base": facts["base"],
        "base_model_name_or_path": config["base_model_name_or_path"],
        "revision": config["revision"],
    }


def _take(entries: Iterator[Json], file: IO[bytes], facts: Json, report: Report) -> str:
    """The weights up to their end; their digest."""
    hashed, done, total = hashlib.sha256(), 0, facts.get("bytes")
    if type(total) is not int:
        raise ExportBroken
    report(0, total)
    for entry in entries:
        if "piece" not in entry:
            break
        try:
            piece = base64.b64decode(entry["piece"], validate=True)
        except (binascii.Error, TypeError):
            raise ExportBroken from None
        file.write(piece)
        hashed.update(piece)
        done += len(piece)
        report(min(done, total), total)
    else:
        raise AnswerCutShort
    if entry.get("end") != {"bytes": done} or done != total:
        raise ExportBroken
    return hashed.hexdigest()


def _next(entries: Iterator[Json], key: str) -> Json:
    """What the next line says under this key. Raises `AnswerCutShort`, `ExportBroken`."""
    entry = next(entries, None)
    if entry is None:
        raise AnswerCutShort
    value = entry.get(key)
    if not isinstance(value, dict):
        raise ExportBroken
    return value


def _write(path: Path, told: str) -> None:
    with created(path) as file:
        file.write(told.encode("utf-8", "backslashreplace"))
