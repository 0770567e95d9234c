"""Formats that no honest extractor is: each does one thing that a child must not get away with.

They run in real workers; what a worker tried, it tells in the text of its document.
"""

import ctypes
import errno
import os
import resource
import select
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts

SECRET = "the heron tin is under the third step"


def tells(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text=f"{facts!r} {facts.name} {facts.me} {file.read().decode()}")


def refuses(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text="The first page.", path_suffix="1")
    raise Unreadable(SkipReason.ENCRYPTED)


def breaks(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    print(SECRET)
    print(SECRET, file=sys.stderr)
    os.write(2, SECRET.encode())
    if file:
        raise ValueError(SECRET)
    yield Extracted(text="never")


# --------------------------------------------------------------------------- too much


def eats(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    held = []
    while file:
        held.append(bytearray(1 << 20))
    yield Extracted(text="never")


def eats_in_a_library(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """As a library does that ends its process where memory runs out."""
    held = []
    try:
        while True:
            held.append(b"." * (1 << 20))
    except MemoryError:
        ctypes.string_at(0)
    yield Extracted(text="never")


def loops(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    while file:
        pass
    yield Extracted(text="never")


def thinks(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text="The first page.")
    while file:
        pass


def waits(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text="The first page.")
    select.select([], [], [])


def floods(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    number = 0
    while True:
        number += 1
        yield Extracted(text="honey " * 1000, path_suffix=str(number))


def swells(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text="." * (facts.most_bytes + 1))


def streams(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """Far more than one worker may hold, one piece after the other."""
    for number in range(100):
        yield Extracted(text=f"{number} " + "honey " * 250_000, path_suffix=str(number))


# --------------------------------------------------------------------------- dying, lying


def dies(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text="The first page.")
    os._exit(3)


def crashes(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    yield Extracted(text="The first page.")
    ctypes.string_at(0)


def babbles(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    _answers().sendall(b"\x00\x00\x00\x02\x00\x00\x00\x00{}")
    yield Extracted(text="never")


def brags(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """A header that promises more than anybody may send."""
    header = b'{"id":1,"total":999999999999,"header":{}}'
    _answers().sendall(len(header).to_bytes(4, "big") + bytes(4) + header)
    yield Extracted(text="never")


def crumbles(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """A message of which a byte comes now and then."""
    answers, header = _answers(), b'{"id":1,"total":2000000,"header":{}}'
    answers.sendall(len(header).to_bytes(4, "big") + bytes(4) + header)
    for _ in range(2_000_000):
        answers.sendall(b"\x00\x00\x00\x08\x00\x00\x00\x01" + b'{"id":1}' + b".")
    yield Extracted(text="never")


def _answers() -> socket.socket:
    """The worker's only socket."""
    for number in range(3, 64):
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=number)
            sock.send(b"")
        except OSError:
            continue
        return sock
    raise AssertionError


# --------------------------------------------------------------------------- trying doors


def tries(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """One line per door: its name, and the error at it or `opened`. The file names a folder."""
    folder = Path(file.read().decode())
    yield Extracted(text="\n".join(f"{name} {attempt(door)}" for name, door in doors(folder)))


def doors(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    there, new = folder / "there.txt", folder / "new.txt"
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> None:
        if libc.syscall(number, *arguments) < 0:
            raise OSError(ctypes.get_errno(), "")

    def opening(flags: int) -> Callable[[], object]:
        return lambda: os.close(os.open(there, flags))

    yield "write", opening(os.O_WRONLY)
    yield "read_and_write", opening(os.O_RDWR)
    yield "append", opening(os.O_APPEND)
    yield "truncate_at_open", opening(os.O_TRUNC)
    yield "create", lambda: os.close(os.open(new, os.O_CREAT))
    yield (
        "unnamed_file",
        lambda: os.open(folder, getattr(os, "O_TMPFILE", os.O_CREAT) | os.O_WRONLY),
    )
    yield "truncate", lambda: os.truncate(there, 0)
    yield "rename", lambda: there.rename(new)
    yield "unlink", there.unlink
    yield "mkdir", new.mkdir
    yield "rmdir", folder.rmdir
    yield "symlink", lambda: new.symlink_to(there)
    yield "link", lambda: new.hardlink_to(there)
    yield "chmod", lambda: there.chmod(0o777)
    yield "utime", lambda: os.utime(there)
    yield "memory_file", lambda: os.memfd_create("honey")
    yield "internet", lambda: socket.socket(socket.AF_INET).close()
    yield "internet_6", lambda: socket.socket(socket.AF_INET6).close()
    yield "datagrams", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    yield "local_socket", lambda: socket.socket(socket.AF_UNIX).close()
    yield "socket_pair", socket.socketpair
    yield "exec", lambda: os.execv(sys.executable, [sys.executable, "-c", ""])
    yield "fork", os.fork
    yield "kill", lambda: os.kill(os.getppid(), 0)
    yield "more_memory", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    yield "limits_of_another", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE)
    if os.uname().machine == "x86_64":
        yield "openat2", lambda: call(437, -100, os.fsencode(there), bytes(24), 24)
        yield "io_uring", lambda: call(425, 1, bytes(120))
        yield "ptrace", lambda: call(101, 16, os.getppid(), 0, 0)
        yield "memory_of_another", lambda: call(310, os.getppid(), None, 0, None, 0, 0)
        yield "second_calling_convention", lambda: call(0x40000000 | 2, os.fsencode(there), 1, 0)
        yield "mount", lambda: call(165, b"", b"/", b"", 0, None)
        yield "keyring", lambda: call(250, 0, -3, 0)


def attempt(door: Callable[[], object]) -> str:
    try:
        door()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    except ValueError:
        return "EACCES"  # setrlimit's way to say so
    return "opened"


def reads_elsewhere(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    other = Path(file.read().decode())
    yield Extracted(text=attempt(other.read_bytes) if other.is_absolute() else "?")


def holds(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    """Its open descriptors."""
    found = []
    for number in range(64):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    yield Extracted(text=str(len(found)))
