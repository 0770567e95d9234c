"""The walls of the house: which folder may import which, and what stays out of which process.

Imports are read from the syntax tree, so they count wherever they stand: at the top, in a
function, under TYPE_CHECKING, or through `importlib`. What is loaded in the end is asked of a
process of its own.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Who may import what of ours. A name stands for the module and all that is below it.
ALLOWED = {
    "storage": ("storage",),
    "ipc": ("ipc",),
    "trainer": ("trainer", "storage.records"),
    "daemon": ("daemon", "storage", "trainer", "ipc"),
}
OURS = tuple(ALLOWED)

MODEL = ("torch", "transformers", "bitsandbytes", "peft", "accelerate", "safetensors.torch")
SOCKETS = ("socket", "socketserver", "ssl", "asyncio", "http", "urllib", "aiohttp", "httpx", "ipc")
NETWORK = ("huggingface_hub", "httpx2", "requests", "urllib.request")
VAULT = ("sqlite3", "sqlite_utils", "keyring", "cryptography")
TIMES_OF_DAY = ("datetime", "zoneinfo", "apscheduler")

# What a folder knows nothing of, in the words of other people's libraries.
UNKNOWN_TO = {
    "storage": (*MODEL, *SOCKETS, *NETWORK, "watchdog"),
    "ipc": (*MODEL, *VAULT, *NETWORK),
    "trainer": (*SOCKETS, *VAULT, *NETWORK, *TIMES_OF_DAY),
    "daemon": (*MODEL, *NETWORK),
}
STOCK = ("transformers", "peft", "bitsandbytes")  # imported whole, they cost an engine 100 MB
STOCK_DOORS = ("trainer.stock_models", "trainer.stock_kernels")
BENCHES = ("trainer.bench",)  # which measure the stock way
ENGINE = "daemon.engine"  # the process with the model, which the service only starts
# What the engine's model thread is made of: the only modules of daemon that may touch the model,
# or know of the engine from inside.
MODEL_THREAD = (
    "daemon.engine_model",
    "daemon.engine_chats",
    "daemon.engine_answers",
    "daemon.engine_unpacking",
    "daemon.engine_work",
    "daemon.engine_way",
    "daemon.engine_training",
    "daemon.engine_judging",
    "daemon.engine_attachments",
)
# What a single module may import all the same.
EXCEPTIONS = dict.fromkeys(MODEL_THREAD, MODEL) | {
    "daemon.adding.hub": NETWORK,  # in the process of `nightloom base add`, and nowhere else
    "trainer.architecture": ("huggingface_hub.errors",),  # what transformers raises
}
MAKER = "daemon.adding.maker"  # the process that makes a base, which the command only starts
# The way to the network, and who may take it.
DOORS = {
    MAKER: (),
    "daemon.adding.hub": ("daemon.adding.addition", "daemon.cli.base_add"),
    "daemon.adding.addition": ("daemon.cli.base_add",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One import: from a module of ours to a dotted name; None where the name is computed."""

    module: str
    target: str | None
    line: int

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}, imports {self.target or 'a computed name'}"


def arrows(source: str, module: str, *, is_package: bool = False) -> Iterator[Arrow]:
    """Every import in a source; `from a import b` is an arrow to `a.b`."""
    for node in ast.walk(ast.parse(source)):
        targets: list[str | None] = []
        if isinstance(node, ast.Import):
            targets += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".") if is_package else module.split(".")[:-1]
            above = parts[: len(parts) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            targets += [f"{start}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and _name_of(node.func) in ("import_module", "__import__"):
            given = node.args[0] if node.args else None
            constant = isinstance(given, ast.Constant) and isinstance(given.value, str)
            targets.append(str(given.value) if constant else None)  # type: ignore[union-attr]
        for target in targets:
            yield Arrow(module=module, target=target, line=getattr(node, "lineno", 0))


def objections(found: Iterator[Arrow]) -> list[str]:
    """The arrows that the walls do not let through."""
    return [str(arrow) for arrow in found if not _may(arrow)]


def _may(arrow: Arrow) -> bool:
    if arrow.target is None:
        return False
    folder = arrow.module.partition(".")[0]
    at_the_door = arrow.module in STOCK_DOORS or _is_below(arrow.module, BENCHES)
    if folder == "trainer" and _is_below(arrow.target, STOCK) and not at_the_door:
        return False
    if _is_below(arrow.target, (*OURS, "tests")) and not _is_below(arrow.target, ALLOWED[folder]):
        return False
    of_the_engine = _is_below(arrow.target, (ENGINE, *MODEL_THREAD))
    if of_the_engine and arrow.module not in (ENGINE, *MODEL_THREAD):
        return False
    for door, guests in DOORS.items():
        if _is_below(arrow.target, (door,)) and arrow.module not in guests:
            return False
    if _is_below(arrow.target, EXCEPTIONS.get(arrow.module, ())):
        return True
    return not _is_below(arrow.target, UNKNOWN_TO[folder])


def _is_below(target: str, names: tuple[str, ...]) -> bool:
    return any(target == name or target.startswith(f"{name}.") for name in names)


def _name_of(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def _sources() -> dict[str, tuple[str, bool]]:
    """Every module of ours by its dotted name: source, and whether it is a package."""
    found = {}
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = path.read_text("utf-8"), is_package
    return found


SOURCES = _sources()


def _below(folder: str) -> list[str]:
    return [name for name in SOURCES if _is_below(name, (folder,))]


def _arrows_of(module: str) -> Iterator[Arrow]:
    source, is_package = SOURCES[module]
    return arrows(source, module, is_package=is_package)


def _modules_reached(module: str) -> set[str]:
    """Those of our modules that are loaded when all imports of a module are followed once."""
    reached = set()
    for arrow in _arrows_of(module):
        parts = (arrow.target or "").split(".")
        reached |= {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return reached & SOURCES.keys()


# --------------------------------------------------------------------------- the walls


@pytest.mark.parametrize("folder", OURS)
def test_no_import_goes_through_a_wall(folder: str) -> None:
    modules = _below(folder)

    assert len(modules) > 1
    assert [said for module in modules for said in objections(_arrows_of(module))] == []


def test_what_the_service_imports_of_the_trainer_never_leads_to_the_model() -> None:
    waiting = [name for name in _below("daemon") if name not in (*MODEL_THREAD, MAKER)]
    outside = set(_below("daemon"))
    reached: set[str] = set()
    while waiting:
        for module in _modules_reached(waiting.pop()) - outside - reached:
            reached.add(module)
            waiting.append(module)

    assert {"trainer.gate", "trainer.base_format"} <= reached
    to_the_model = [
        str(arrow)
        for module in sorted(reached)
        for arrow in _arrows_of(module)
        if _is_below(arrow.target or "", MODEL)
    ]
    assert to_the_model == []


def test_the_engine_is_known_by_its_modules() -> None:
    assert {ENGINE, *MODEL_THREAD, *EXCEPTIONS, *DOORS} <= SOURCES.keys()


def test_the_idle_service_loads_neither_the_model_nor_the_terminal() -> None:
    code = "import sys, daemon.service; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = done.stdout.split()
    assert "daemon.service" in loaded
    assert not {ENGINE, *MODEL_THREAD} & set(loaded)
    assert [name for name in ("torch", "transformers", "peft", "bitsandbytes", "rich",
                              "prompt_toolkit", "markdown_it",
                              "huggingface_hub", "httpx2", "daemon.adding.hub", "lxml", "pypdf",
                              "docx", "odfdo", "trafilatura")
            if name in loaded] == []  # fmt: skip


def test_the_process_with_the_network_loads_nothing_of_the_trainer() -> None:
    code = """
import sys, daemon.cli.root, daemon.cli.base_add, daemon.adding.addition
from daemon.adding.hub import Hub
print(*sys.modules, sep=",")
Hub({})
print(*sys.modules, sep=",")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    before, after = (line.split(",") for line in done.stdout.splitlines())
    assert "huggingface_hub" not in before  # not loaded by a command that needs no network
    assert {"huggingface_hub", "daemon.adding.maker_handle"} <= set(after)
    assert [name for name in ("trainer", "torch", "transformers") if name in after] == []


def test_the_trainer_and_the_network_never_share_a_process() -> None:
    code = "import os, trainer\nfrom daemon.adding.hub import Hub\nHub(os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "do not go into one process" in done.stderr


# --------------------------------------------------------------------------- the checker itself


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("storage.vault", "import trainer.gate"),
        ("storage.vault", "from daemon import config"),
        ("storage.vault", "import aiohttp"),
        ("ipc.server", "from storage.errors import VaultMissing"),
        ("ipc.server", "import torch.nn as nn"),
        ("ipc.server", "def late():\n    import sqlite3"),
        ("trainer.gate", "import storage"),
        ("trainer.gate", "from storage import vault"),
        ("trainer.gate", "from storage.keys import Passphrase"),
        ("trainer.gate", "import socket"),
        ("trainer.lora", "def late():\n    from peft import LoraConfig"),
        ("trainer.gate", "from datetime import datetime"),
        ("daemon.service", "import torch"),
        ("daemon.service", "def late():\n    from peft import LoraConfig"),
        ("daemon.service", "from safetensors import torch"),
        ("daemon.service", "import daemon.engine_model"),
        ("daemon.night_vault", "from daemon.engine_attachments import texts"),
        ("daemon.candidate_check", "def late():\n    from daemon import engine_judging"),
        ("daemon.engine", "import torch"),
        ("daemon.service", "from daemon.engine import Desk"),
        ("daemon.service", "from tests.daemon import fake"),
        ("daemon.service", "import huggingface_hub"),
        ("daemon.service", "def late():\n    from daemon.adding.hub import Hub"),
        ("daemon.service", "from daemon.adding import addition"),
        ("daemon.adding.addition", "from daemon.adding.maker import Maker"),
        ("daemon.adding.hub", "import transformers"),
        ("daemon.engine_model", "import httpx2"),
        ("trainer.architecture", "from huggingface_hub import HfApi"),
        ("trainer.base_model", "from huggingface_hub.errors import StrictDataclassError"),
        ("daemon.service", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("daemon.service", "import importlib\nimportlib.import_module('transformers')"),
        ("daemon.service", "__import__('bitsandbytes')"),
        ("daemon.service", "import importlib\nimportlib.import_module(name)"),
        ("storage.deep.module", "from ..records import Passed\nfrom . import near\nimport ipc"),
    ],
)
def test_the_checker_finds(module: str, source: str) -> None:
    assert len(objections(arrows(source, module))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("trainer.gate", "from storage.records import Passed"),
        ("trainer.gate", "from storage import records"),
        ("trainer.lora", "import torch"),
        ("trainer.stock_models", "import torch, peft"),
        ("trainer.bench.decode_stock", "from transformers import AutoModelForCausalLM"),
        ("daemon.engine_model", "import torch\nfrom daemon.engine import Desk"),
        ("daemon.engine", "from daemon.engine_model import EngineModel"),
        ("daemon.engine_judging", "import torch\nfrom daemon.engine_work import Work"),
        ("daemon.engine_model", "from trainer.lora import LoraBank"),
        ("daemon.service", "from daemon.engine_handle import EngineHandle"),
        ("daemon.adding.hub", "import huggingface_hub, httpx2"),
        ("daemon.cli.base_add", "from daemon.adding.hub import Hub"),
        ("trainer.architecture", "from huggingface_hub.errors import StrictDataclassError"),
        ("ipc.deep.module", "from . import neighbour\nfrom ..frames import Body"),
        ("storage.vault", "import sqlite3, cryptography"),
    ],
)
def test_the_checker_lets_through(module: str, source: str) -> None:
    assert objections(arrows(source, module)) == []
