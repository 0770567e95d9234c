"""The child process that measures: torch stays in it, and it ends with the command that asked.

It runs with the engine's own settings, so that it is as fast as the engine. The vault is measured
in a child as well, whose memory is its own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import daemon
from daemon.cli.output import Json

_PYTHON = (sys.executable, "-P", "-W", "ignore", "-m")
COMMAND = (*_PYTHON, "trainer.bench")
VAULT_COMMAND = (*_PYTHON, "storage.bench")
COLLECT_COMMAND = (*_PYTHON, "daemon.collecting_bench")
SERVE_COMMAND = (*_PYTHON, "daemon.serving_bench")


def measured_beside(vault: Path, words: list[str], command: Sequence[str]) -> Json:
    """As `measured`, in a new folder on the disk of this vault, which is gone afterwards.

    Nothing is made where there was no folder: the nearest that is there takes it.
    """
    from daemon.cli.demo_interrupts import Interrupts

    near = next(folder for folder in (vault, *vault.parents) if folder.is_dir())
    with Interrupts() as interrupts:
        with interrupts.held():
            folder = Path(tempfile.mkdtemp(prefix=".nightloom-bench-", dir=near.parent))
        try:
            return measured([str(folder), *words], command)
        finally:
            interrupts.ignore_more()
            shutil.rmtree(folder)


def measured(words: list[str], command: Sequence[str] | None = None) -> Json:
    """What the child found, asked with these words.

    Raises:
        BenchFailed: it says why it could not.
        BenchDied: it ended without a word.
    """
    from daemon.cli.demo_interrupts import Interrupts
    from daemon.cli.errors import BenchDied, BenchFailed
    from daemon.engine_process import engine_environment

    environment = engine_environment(os.environ)
    environment["PYTHONPATH"] = str(Path(daemon.__file__).parents[1])  # the same code, anywhere
    with (
        Interrupts() as interrupts,
        subprocess.Popen(
            [*(command or COMMAND), *words, "--end-with", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment,
            process_group=0,  # Ctrl-C in the terminal is ours to handle
        ) as process,
    ):
        assert process.stdout is not None
        try:
            said = process.stdout.read()
        finally:
            interrupts.ignore_more()
            process.kill()
    try:
        answer: Json = json.loads(said)
    except ValueError:
        raise BenchDied from None
    if "error" in answer:
        raise BenchFailed(answer["error"])
    return answer
