"""What an engine takes away from itself, proven by trying in processes of its kind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.memory_reading import own_bytes, resident_bytes

pytestmark = pytest.mark.skipif("sys.platform != 'linux'")
SOON_SECONDS = 10.0


def confined(code: str) -> str:
    """What a process prints that confined itself and then ran `code`."""
    program = (
        "import errno, os, socket\nfrom daemon.confinement import *\nconfine_engine()\n" + code
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SOON_SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRY = """
def attempt(family, kind=socket.SOCK_STREAM):
    try:
        socket.socket(family, kind).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "opened"
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK", "AF_PACKET"])
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"])
def test_no_socket_leads_out_of_the_machine(family: str, kind: str) -> None:
    assert confined(f"{TRY}print(attempt(socket.{family}, socket.{kind}))") == "EACCES"


def test_the_filter_is_what_refuses_and_not_this_machine() -> None:
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    assert confined("print(network_is_denied())") == "True"
    from daemon.confinement import network_is_denied

    assert not network_is_denied()


def test_unix_sockets_still_work() -> None:
    code = """
ours, theirs = socket.socketpair(socket.AF_UNIX)
ours.sendall(b"honey")
print(theirs.recv(9).decode())
"""
    assert confined(code) == "honey"


def test_a_thread_that_starts_later_is_confined_too() -> None:
    code = f"""{TRY}
import threading
found = []
thread = threading.Thread(target=lambda: found.append(attempt(socket.AF_INET)))
thread.start(); thread.join()
print(found[0])
"""
    assert confined(code) == "EACCES"


def test_a_child_process_is_confined_too() -> None:
    code = """
import subprocess, sys
again = "import socket; socket.socket(socket.AF_INET)"
print(subprocess.run([sys.executable, "-c", again], stderr=subprocess.DEVNULL).returncode)
"""
    assert confined(code) == "1"


def test_io_uring_is_no_way_around() -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(425, 1, 0), errno.errorcode[ctypes.get_errno()])
"""
    assert confined(code) == "-1 EACCES"


@pytest.mark.skipif("__import__('platform').machine() != 'x86_64'")
def test_the_second_calling_convention_is_no_way_around() -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(0x40000000 | 41, socket.AF_INET, socket.SOCK_STREAM, 0), ctypes.get_errno())
"""
    assert confined(code) == "-1 13"


def test_there_will_be_no_core_dump_and_no_tracing() -> None:
    code = """
import ctypes
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    assert confined(code) == "(0, 0) 0"


# --------------------------------------------------------------------------- the parent's death


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_confined_process_dies_with_the_one_that_started_it() -> None:
    child = (
        "import signal, sys; from daemon.confinement import confine_engine; confine_engine();"
        "print('ready', flush=True); signal.pause()"
    )
    parent = (
        "import subprocess, sys, signal\n"
        f"one = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)\n"
        "one.stdout.readline()\n"
        "print(one.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        assert not gone(pid)
        os.kill(service.pid, signal.SIGKILL)
        until(lambda: gone(pid))


# --------------------------------------------------------------------------- memory


def test_memory_is_measured_and_follows_what_is_held() -> None:
    before = own_bytes()
    assert 5_000_000 < before <= resident_bytes(os.getpid()) * 1.05
    held = bytearray(os.urandom(1 << 20) * 64)
    assert own_bytes() - before > 50 << 20
    assert len(held) == 64 << 20


def test_a_process_that_denies_tracing_can_still_measure_itself() -> None:
    code = "from daemon.memory_reading import own_bytes\nprint(own_bytes())"
    assert int(confined(code)) > 5_000_000


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert resident_bytes(2**22 + 1) == 0
