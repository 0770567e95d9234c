"""A home, a hub on this machine, and `nightloom base add` as a process of its own.

It has to be one: the tests' process has imported `trainer`, which forbids it the network.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.adding.hub_server import FakeHub, Repository, running_hub
from tests.trainer.tiny_bases import full_precision_folder

ROOT = Path(__file__).parents[3]
ID = "Garden/Bee-Tiny-Instruct"
NAME = "bee-tiny-instruct"

Add = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 of some megabytes in three shards. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("hub") / "Bee-Tiny-Instruct"
    full_precision_folder(
        folder, "qwen2", shard_bytes=3_000_000, hidden_size=256, intermediate_size=2048
    )
    (folder / "LICENSE").write_text("\n  The Beekeepers' Licence\n\nShare the honey.\n", "utf-8")
    assert len(list(folder.glob("*.safetensors"))) == 3
    return folder


@pytest.fixture
def hub(source: Path) -> Iterator[FakeHub]:
    """The hub with the model in it."""
    with running_hub() as hub:
        hub.repositories[ID] = Repository.of(source)
        yield hub


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def environment(home: Path, hub: FakeHub, tmp_path: Path) -> dict[str, str]:
    return environment_of(home, hub, tmp_path / "user")


def environment_of(home: Path, hub: FakeHub, user: Path) -> dict[str, str]:
    """What the command is started with; nothing else of the user's is in reach."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {
        "NIGHTLOOM_HOME": str(home),
        "HOME": str(user),
        "HF_ENDPOINT": hub.address,
        "NO_PROXY": "*",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "daemon.cli", "base", *words]


@pytest.fixture
def add(environment: dict[str, str]) -> Add:
    """Runs `nightloom base add` to its end: `add(ID, "--yes", HF_TOKEN="x")`."""

    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return run_add(environment | more, *words)

    return run


def run_add(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("add", *words),
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line that says what went wrong; nothing was printed as a result."""
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("nightloom: "), done.stderr
    assert last.endswith(".")
    return last.removeprefix("nightloom: ")
