"""The folder of a 4-bit base: which files, what `nightloom.json` records, which config counts.

Reads and checks without torch, so that the service can list bases too. Everything in a base
folder is hostile input: config fields are taken from a list of known ones with bounded values
(an `auto_map` or the name of a kernel to fetch never reaches a library), and every file must be
the one that was recorded when the base was made. Does not know how tensors are used.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from trainer.errors import (
    BaseDamaged,
    BaseMissing,
    BaseTooNew,
    BaseWantsCode,
    UnsupportedArchitecture,
)
from trainer.tensor_file import FileLayout, read_layout

FORMAT = 1
FACTS_FILE = "nightloom.json"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"

ARCHITECTURES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
ACTIVATIONS = ("silu", "gelu", "gelu_pytorch_tanh", "relu")
ROPE_TYPES = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
SIZE_LIMITS = {  # inclusive; far above every model known today
    "vocab_size": 2**21,
    "hidden_size": 2**17,
    "intermediate_size": 2**19,
    "num_hidden_layers": 1024,
    "num_attention_heads": 1024,
    "num_key_value_heads": 1024,
    "head_dim": 4096,
    "max_position_embeddings": 2**26,
    "sliding_window": 2**26,
    "max_window_layers": 1024,
}
OPTIONAL_SIZES = ("num_key_value_heads", "head_dim", "sliding_window", "max_window_layers")
# Fields that change what the model computes; the identity is over these and no others.
MEANING = (
    "model_type", *SIZE_LIMITS, "hidden_act", "rms_norm_eps", "rope_parameters",
    "tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window", "layer_types",
)  # fmt: skip
MARKS = ("bos_token_id", "eos_token_id", "pad_token_id")
FLAGS = ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window")
SMALL_FILE_LIMIT_BYTES = 64 * 1024 * 1024

Config = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What `nightloom.json` says about a base."""

    format: int
    name: str
    licence: str
    description: str
    origin: str
    identity: str  # what adapters belong to, see trainer/base_identity.py
    tensors_sha256: str  # the part of the identity that takes a full read
    weights_bytes: int
    header_sha256: str
    architecture: str
    parameters: int
    context_tokens: int
    files: dict[str, str]  # sha256 of every small file
    bits_per_character: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBase:
    """A folder whose small files and whose weights' size and header are what was recorded."""

    folder: Path
    facts: BaseFacts
    config: Config
    layout: FileLayout


def read_facts(folder: Path) -> BaseFacts:
    """Read `nightloom.json`.

    Raises:
        BaseMissing, BaseDamaged: there is none, or it is malformed.
        BaseTooNew: it was written by a newer nightloom.
    """
    raw = read_json(folder / FACTS_FILE)
    version = raw.get("format")
    if type(version) is int and version > FORMAT:
        raise BaseTooNew(version, FORMAT)
    kinds = {one.name: one.type for one in fields(BaseFacts)}
    for name, kind in kinds.items():
        value = raw.get(name)
        if not isinstance(value, dict if "dict" in str(kind) else kind):  # type: ignore[arg-type]
            raise BaseDamaged(FACTS_FILE, f"{name} is missing or malformed")
    if not all(isinstance(value, str) for value in raw["files"].values()):
        raise BaseDamaged(FACTS_FILE, "files is missing or malformed")
    return BaseFacts(**{name: raw[name] for name in kinds})


def write_facts(folder: Path, facts: BaseFacts) -> None:
    """Write `nightloom.json`, sorted, so that the same base gives the same file."""
    text = json.dumps(asdict(facts), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / FACTS_FILE).write_text(text + "\n", encoding="utf-8")


def check_folder(folder: Path) -> CheckedBase:
    """The cheap verification at every load: all small files, the weights' size and header.

    Raises:
        BaseMissing, BaseDamaged, BaseTooNew, UnsupportedArchitecture, BaseWantsCode
    """
    facts = read_facts(folder)
    if not {CONFIG_FILE, TOKENIZER_FILE} <= set(facts.files):
        raise BaseDamaged(FACTS_FILE, "files is missing or malformed")
    for name, digest in facts.files.items():
        if name != Path(name).name:
            raise BaseDamaged(FACTS_FILE, "files is missing or malformed")
        if hashlib.sha256(read_small(folder / name)).hexdigest() != digest:
            raise BaseDamaged(name, "its digest is not the recorded one")
    config = known_config(read_json(folder / CONFIG_FILE))
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise BaseMissing(WEIGHTS_FILE)
    size = weights.stat().st_size
    if size != facts.weights_bytes:
        raise BaseDamaged(WEIGHTS_FILE, f"it has {size} bytes instead of {facts.weights_bytes}")
    layout = read_layout(weights)
    if layout.header_sha256 != facts.header_sha256:
        raise BaseDamaged(WEIGHTS_FILE, "its header is not the recorded one")
    if config["num_hidden_layers"] > len(layout.tensors):
        raise BaseDamaged(CONFIG_FILE, "it speaks of more layers than there are tensors")
    return CheckedBase(folder=folder, facts=facts, config=config, layout=layout)


def known_config(raw: Mapping[str, Any]) -> Config:
    """The fields we know, checked; everything else is left behind.

    The older `rope_theta` and `rope_scaling` become `rope_parameters`, so that two ways of
    writing one model are one base.

    Raises:
        UnsupportedArchitecture, BaseWantsCode, BaseDamaged
    """
    if raw.get("auto_map"):
        raise BaseWantsCode(f"auto_map in {CONFIG_FILE}")
    kind = raw.get("model_type")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        shown = kind if isinstance(kind, str) and re.fullmatch(r"[\w.-]{1,40}", kind) else "unknown"
        raise UnsupportedArchitecture(shown, ", ".join(ARCHITECTURES.values()))
    config = {name: raw[name] for name in (*MEANING, *MARKS) if name in raw}
    config["rope_parameters"] = _rope(raw)
    wrong = [name for name in config if not _plausible(name, config[name])]
    needed = [name for name in SIZE_LIMITS if name not in OPTIONAL_SIZES and name not in config]
    if wrong or needed:
        raise BaseDamaged(CONFIG_FILE, f"{(wrong + needed)[0]} is missing or out of range")
    return config


def _rope(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The rotary embedding's parameters in today's form."""
    given = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if not isinstance(given, dict):
        raise BaseDamaged(CONFIG_FILE, "rope_parameters is missing or out of range")
    rope = {name: value for name, value in given.items() if name != "type"}
    rope.setdefault("rope_type", given.get("type", "default"))
    rope.setdefault("rope_theta", raw.get("rope_theta", 10000.0))
    if type(rope["rope_theta"]) is int and abs(rope["rope_theta"]) < 2**53:
        rope["rope_theta"] = float(rope["rope_theta"])
    return rope


def _plausible(name: str, value: Any) -> bool:
    if name in SIZE_LIMITS:
        if value is None:
            return name in OPTIONAL_SIZES
        return type(value) is int and 1 <= value <= SIZE_LIMITS[name]
    if name in FLAGS:
        return type(value) is bool
    if name in MARKS:
        ids = value if isinstance(value, list) else [value]
        return all(one is None or (type(one) is int and one >= 0) for one in ids)
    if name == "hidden_act":
        return value in ACTIVATIONS
    if name == "rms_norm_eps":
        return isinstance(value, float) and 0 < value < 1
    if name == "layer_types":
        kinds = ("full_attention", "sliding_attention")
        return isinstance(value, list) and all(one in kinds for one in value)
    if name == "rope_parameters":
        return (
            isinstance(value, dict)
            and value["rope_type"] in ROPE_TYPES
            and isinstance(value["rope_theta"], float)
            and all(_plain(one) for one in value.values())
        )
    return name == "model_type"


def _plain(value: Any) -> bool:
    """Whether a rope parameter is a word, a finite number, or a list of such numbers."""
    if isinstance(value, list):
        return len(value) <= 4096 and all(_plain(one) and not isinstance(one, str) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int | bool)


def read_small(path: Path) -> bytes:
    """A small file of a base folder, whole.

    Raises:
        BaseMissing, BaseDamaged: it is not there, or far too large.
    """
    try:
        if path.stat().st_size > SMALL_FILE_LIMIT_BYTES:
            raise BaseDamaged(path.name, "it is far too large")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BaseMissing(path.name) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a base folder.

    Raises:
        BaseMissing, BaseDamaged: it is not there, or no JSON object.
    """
    try:
        value = json.loads(read_small(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BaseDamaged(path.name, "it is no JSON") from error
    if not isinstance(value, dict):
        raise BaseDamaged(path.name, "it is no JSON object")
    return value
