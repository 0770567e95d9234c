"""`nightloom run` for the tests of the demo: real sockets, made-up answers, a child of its own.

STAND_IN_BEHAVIOUR says in words what it should do; STAND_IN_PROCESSES is a file for their ids.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from daemon.cli.kinship import end_with_parent
from daemon.cli.passphrase import read_passphrase_file
from daemon.home import Home
from ipc.inference import GenerationEvent, GenerationRequest
from storage.keys import Passphrase
from storage.vault import Vault
from tests.daemon.cli.fake_service import NIGHT, FakeAdmin, FakeModel, serving

ENDS = {signal.SIGTERM, signal.SIGINT}
CHILD = """
import ctypes, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # ends with the service, as the engine does
held = bytearray(b"x") * 60_000_000
print("up", flush=True)
sys.stdin.read()
"""
DEAF_CHILD = """
import os, signal, sys, time
os.setsid()  # out of the service's session too
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


class Model(FakeModel):
    """Says which model was asked."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        self.pieces = [f"{request.model} answers"]
        return super().generate(request)


def main() -> None:
    behaviour = os.environ["STAND_IN_BEHAVIOUR"].split()
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    end_with_parent(int(options["--die-with"]))
    passphrase = Passphrase(text=read_passphrase_file(Path(options["--passphrase-file"])))
    if "dies-at-start" in behaviour:
        _die()
    home = Home.from_environment(os.environ)
    Vault.open(home.vault, passphrase).close()
    over = threading.Event()
    # waited for, not handled: a handler that sets what its own thread waits for may hang in it
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    child = _start_child(DEAF_CHILD if "deaf-child" in behaviour else CHILD)
    Path(os.environ["STAND_IN_PROCESSES"]).write_text(f"{os.getpid()} {child.pid}")
    admin, model = FakeAdmin(), Model()
    _behave(behaviour, admin, model, over)
    with serving(home.runtime, admin, model):
        print("ready", flush=True)
        signal.sigwait(ENDS)
        over.set()
    if "deaf-child" not in behaviour:
        child.kill()
        child.wait()


def _behave(behaviour: list[str], admin: FakeAdmin, model: Model, over: threading.Event) -> None:
    for word in behaviour:
        if word == "never-ending-night":
            admin.during_night = lambda: _wait(over)
        elif word == "never-ending-answer":
            model.hold_after_first = threading.Event()
        elif word == "dies-at-night":
            admin.during_night = _die
        elif word.startswith("night-"):
            state = word.removeprefix("night-")
            admin.night_entry = NIGHT | {"state": state, "sentence": "It did not get better."}


def _start_child(code: str) -> "subprocess.Popen[Any]":
    child = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def _wait(over: threading.Event) -> None:
    over.wait()


def _die() -> None:
    print("nightloom.service: listening", file=sys.stderr)
    print("nightloom: The base is damaged.", file=sys.stderr, flush=True)
    os._exit(1)


main()
