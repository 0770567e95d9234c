"""A full-precision folder as a hub has it: which files it needs, and what its config says.

Reads and refuses without torch, and before any weights are there: what is wrong with a model is
known from its config. Everything in the folder is hostile input. Does not know how tensors are
quantised.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainer.base_format import CONFIG_FILE, WEIGHTS_FILE, Config, known_config, read_json
from trainer.errors import AlreadyQuantised, BaseDamaged, BaseMissing, PickleWeights

INDEX_FILE = "model.safetensors.index.json"
GENERATION_FILE = "generation_config.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt")


def source_config(folder: Path) -> Config:
    """The fields of the config that we know, with every mark that ends an answer.

    Raises:
        BaseMissing, BaseDamaged, UnsupportedArchitecture, BaseWantsCode, AlreadyQuantised
    """
    raw = read_json(folder / CONFIG_FILE)
    config = known_config(raw)
    if raw.get("quantization_config") is not None:
        raise AlreadyQuantised(_method(raw["quantization_config"]))
    return _with_all_end_marks(folder, config)


def shards(folder: Path, tensors: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of all tensors by the file that holds them: as the index says, else in one file.

    Args:
        tensors: what to look for where there is no index.

    Raises:
        BaseDamaged: the index is malformed, or names files of another kind.
    """
    if not (folder / INDEX_FILE).is_file():
        return {WEIGHTS_FILE: tuple(sorted(tensors))}
    index = read_json(folder / INDEX_FILE).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise BaseDamaged(INDEX_FILE, "it has no weight_map")
    found: dict[str, list[str]] = {}
    for tensor, file in sorted(index.items()):
        if not isinstance(file, str) or file != Path(file).name or not _is_safetensors(file):
            raise BaseDamaged(INDEX_FILE, "it names files of another kind")
        found.setdefault(file, []).append(tensor)
    return {file: tuple(found[file]) for file in sorted(found)}


def check_present(folder: Path, files: Iterable[str]) -> None:
    """All shards are there.

    Raises:
        BaseMissing: one is not.
        PickleWeights: there are only weights that could run code.
    """
    for file in files:
        if not (folder / file).is_file():
            pickles = sorted(one.name for kind in PICKLES for one in folder.glob(kind))
            if pickles:
                raise PickleWeights(pickles[0])
            raise BaseMissing(file)


def licence_file(folder: Path) -> Path | None:
    """The text of the licence, if the folder has one."""
    return next((folder / name for name in LICENCE_FILES if (folder / name).is_file()), None)


def _is_safetensors(file: str) -> bool:
    return re.fullmatch(r"[\w.-]{1,200}\.safetensors", file, re.ASCII) is not None


def _method(settings: Any) -> str:
    """How the weights were quantised, if that is a word."""
    method = settings.get("quant_method") if isinstance(settings, Mapping) else None
    known = isinstance(method, str) and re.fullmatch(r"[\w.-]{1,40}", method, re.ASCII)
    return str(method) if known else "unknown"


def _with_all_end_marks(folder: Path, config: Config) -> Config:
    """Instruct models often name the mark that ends a turn in the generation config only."""
    if not (folder / GENERATION_FILE).is_file():
        return config
    more = read_json(folder / GENERATION_FILE).get("eos_token_id")
    marks: list[int] = []
    for value in (config.get("eos_token_id"), more):
        for mark in value if isinstance(value, list) else [value]:
            if type(mark) is int and mark >= 0 and mark not in marks:
                marks.append(mark)
    return config | {"eos_token_id": marks[0] if len(marks) == 1 else marks or None}
