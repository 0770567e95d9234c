"""The child process that measures: torch stays in it, and it ends with the command that asked.

It runs with the engine's own settings, so that it is as fast as the engine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import daemon
from daemon.cli.output import Json

COMMAND = (sys.executable, "-P", "-W", "ignore", "-m", "trainer.bench")


def measured(words: list[str]) -> Json:
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
            [*COMMAND, *words, "--end-with", str(os.getpid())],
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
