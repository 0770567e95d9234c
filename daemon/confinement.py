"""What a child takes away from itself before it reads anything: network, core dumps, tracing.

On Linux a seccomp filter refuses `socket()` for every family but AF_UNIX and io_uring as a way
around it; it is proven by trying. Elsewhere nothing of the kind is claimed. The filter is written
out here because it is eleven instructions; see seccomp(2) and linux/filter.h. The extractor's
child gives up far more, in `extracting/sandbox.py`.
"""

import ctypes
import errno
import os
import platform
import resource
import socket
import struct
import sys
from collections.abc import Iterable

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SIGKILL = 9

LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
JUMP_IF_ANY = 0x45  # BPF_JMP | BPF_JSET | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EACCES
OFFSET_NUMBER, OFFSET_ARCHITECTURE, OFFSET_FIRST_ARGUMENT = 0, 4, 16  # struct seccomp_data

X32_NUMBERS = 0x40000000  # x86-64's second calling convention, same architecture word

# machine: (AUDIT_ARCH_*, numbers of socket(2), io_uring_setup(2))
SYSCALLS = {
    "x86_64": (0xC000003E, 41, 425),
    "aarch64": (0xC00000B7, 198, 425),
}


Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def confine_engine() -> None:
    """Deny this process, for good, what an engine does not need; die with the service."""
    die_with_parent(os.getppid())
    protect_memory()
    _deny_network()


def confine_bridge() -> None:
    """Deny this process, for good, every socket to the network that it does not hold already."""
    protect_memory()
    _deny_network()


def die_with_parent(parent: int) -> None:
    """Be killed when the thread that started this process ends. Linux alone has this."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(0)


def protect_memory() -> None:
    """No core dumps and no reading of this process's memory by others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def network_is_denied() -> bool:
    """Try it: whether opening an internet socket is refused, for both families."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.socket(family, socket.SOCK_STREAM).close()
        except OSError as error:
            if error.errno == errno.EACCES:
                continue
        return False
    return True


def install_filter(program: Iterable[Instruction]) -> bool:
    """Put a filter on this process's system calls, for good; whether the kernel took it."""
    data = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    instructions = ctypes.create_string_buffer(data, len(data))
    filter_ = _Filter(len(data) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    refused = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)
    return bool(refused == 0)


def _deny_network() -> None:
    known = SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return
    architecture, socket_number, io_uring_number = known
    install_filter(
        (
            (LOAD_WORD, 0, 0, OFFSET_ARCHITECTURE),
            (JUMP_IF_EQUAL, 1, 0, architecture),
            (RETURN, 0, 0, REFUSE),  # another calling convention of the same kernel
            (LOAD_WORD, 0, 0, OFFSET_NUMBER),
            (JUMP_IF_AT_LEAST, 5, 0, X32_NUMBERS),
            (JUMP_IF_EQUAL, 4, 0, io_uring_number),
            (JUMP_IF_EQUAL, 0, 2, socket_number),
            (LOAD_WORD, 0, 0, OFFSET_FIRST_ARGUMENT),
            (JUMP_IF_EQUAL, 0, 1, int(socket.AF_UNIX)),
            (RETURN, 0, 0, ALLOW),
            (RETURN, 0, 0, REFUSE),
        )
    )
