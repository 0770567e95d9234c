"""The process tree, its memory, and children that do not outlive their parent (Linux)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemon.cli.demo_memory import PeakMemory
from daemon.cli.process_tree import descendants, memory_bytes, read_parents

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ROOT = Path(__file__).parents[3]
MEGABYTE = 1_000_000


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A Python that runs `code` with this source tree on its path."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def said(process: "subprocess.Popen[str]") -> str:
    """Its next line; empty when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(processes: ExitStack, code: str, *arguments: str) -> "subprocess.Popen[str]":
    process = python(code, *arguments)
    processes.callback(process.communicate)
    processes.callback(process.kill)
    return process


PARENT_OF_ONE = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""


def test_the_tree_holds_children_and_grandchildren_but_no_strangers(processes: ExitStack) -> None:
    parent = started(processes, PARENT_OF_ONE)
    grandchild = int(said(parent))
    stranger = started(processes, "input()")

    found = descendants(os.getpid())

    assert {parent.pid, grandchild, stranger.pid} <= set(found)
    assert descendants(parent.pid) == [grandchild]
    assert os.getpid() not in found


def test_a_tree_of_parents_that_go_round_in_a_circle_ends() -> None:
    assert descendants(1, {1: 3, 2: 1, 3: 2}) == [2, 3]


def test_names_with_brackets_and_blanks_do_not_confuse_the_tree(
    processes: ExitStack, tmp_path: Path
) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to(sys.executable)
    process = subprocess.Popen([odd, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1)
    processes.callback(process.communicate)
    processes.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()

    assert read_parents()[process.pid] == os.getpid()


def test_memory_of_a_process_is_counted_and_a_dead_one_is_nothing(processes: ExitStack) -> None:
    big = started(processes, "b = bytearray(b'x') * 50_000_000; print(flush=True); input()")
    small = started(processes, "print(flush=True); input()")
    assert (said(big), said(small)) == ("", "")

    assert memory_bytes([big.pid]) - memory_bytes([small.pid]) > 40 * MEGABYTE
    small.kill()
    small.wait()
    assert memory_bytes([small.pid]) == 0


def test_a_process_that_denies_tracing_still_counts(processes: ExitStack) -> None:
    code = (
        "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0);"
        "b = bytearray(b'x') * 50_000_000; print(flush=True); input()"
    )
    hidden = started(processes, code)
    said(hidden)

    assert memory_bytes([hidden.pid]) > 40 * MEGABYTE


def test_the_peak_stays_when_the_memory_is_given_back(processes: ExitStack) -> None:
    with PeakMemory(every_seconds=0.01) as memory:
        big = started(processes, "b = bytearray(b'x') * 80_000_000; print(flush=True); input()")
        said(big)
        with_it = memory.peak_bytes() or 0
        big.kill()
        big.wait()
        assert with_it > 80 * MEGABYTE
        assert (memory.peak_bytes() or 0) >= with_it


KILLED_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
import os, sys, time
from daemon.cli.kinship import end_with_parent
end_with_parent(os.getppid())
print(os.getpid(), flush=True)
time.sleep(600)
'''])
input()
"""


def test_the_peak_is_noticed_while_nobody_asks(processes: ExitStack) -> None:
    with PeakMemory(every_seconds=0.01) as memory:
        before = memory.peak_bytes() or 0
        big = started(processes, "b = bytearray(b'x') * 80_000_000; print(flush=True); input()")
        said(big)
        while memory_bytes([big.pid]) and memory.noticed_bytes < before + 60 * MEGABYTE:
            assert big.poll() is None
        assert memory.noticed_bytes >= before + 60 * MEGABYTE


def test_a_child_ends_even_when_its_parent_is_killed(processes: ExitStack) -> None:
    parent = started(processes, KILLED_PARENT)
    child = int(said(parent))
    processes.callback(_kill_if_there, child)

    parent.kill()

    assert said(parent) == ""  # the child held the other end of the pipe until it ended


def test_a_child_whose_parent_is_dead_already_ends_at_once(processes: ExitStack) -> None:
    code = "from daemon.cli.kinship import end_with_parent; end_with_parent(1 << 22); input()"
    child = started(processes, code)

    assert child.wait(timeout=10) == -signal.SIGTERM


def _kill_if_there(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
