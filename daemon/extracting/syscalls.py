"""The system calls that are left to the child, and as a filter for the kernel. Pure.

A list of what is allowed, so that a call that nobody thought of is refused: writing, making and
removing files, sockets other than those handed over, other processes, another program, tracing.
Refused calls fail with EACCES. Numbers are from linux/unistd.h; see seccomp(2).
"""

import platform
from collections.abc import Iterator
from dataclasses import dataclass

from daemon.confinement import (
    ALLOW,
    JUMP_IF_ANY,
    JUMP_IF_AT_LEAST,
    JUMP_IF_EQUAL,
    LOAD_WORD,
    OFFSET_ARCHITECTURE,
    OFFSET_FIRST_ARGUMENT,
    OFFSET_NUMBER,
    REFUSE,
    RETURN,
    SYSCALLS,
    X32_NUMBERS,
    Instruction,
)

WRITE_FLAGS = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000  # O_WRONLY .. O_APPEND, O_TMPFILE
LAST_PLAIN_FCNTL = 4  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL: no locks, no leases
FIONBIO = 0x5421  # what a socket is made blocking with


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """On an argument, by its lower 32 bits."""

    argument: int
    clear: int = 0  # none of these bits
    most: int | None = None
    exactly: int | None = None


OPEN_TO_READ = Condition(argument=1, clear=WRITE_FLAGS)
OPENAT_TO_READ = Condition(argument=2, clear=WRITE_FLAGS)
PLAIN_FCNTL = Condition(argument=1, most=LAST_PLAIN_FCNTL)
MAKE_BLOCKING = Condition(argument=1, exactly=FIONBIO)

# name: (x86-64, arm64); None where the architecture has no such call
WORKER: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None),
    "fstat": (5, 80), "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "ioctl": (16, 29),
    "pread64": (17, 67), "readv": (19, 65),
    "writev": (20, 66), "access": (21, None), "select": (23, None), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23), "nanosleep": (35, 101),
    "getpid": (39, 172), "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "shutdown": (48, 210), "exit": (60, 93), "uname": (63, 160),
    "fcntl": (72, 25), "getcwd": (79, 17), "readlink": (89, None), "gettimeofday": (96, 169),
    "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173),
    "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "getdents64": (217, 61), "fadvise64": (221, 223),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "openat": (257, 56), "newfstatat": (262, 79), "readlinkat": (267, 78),
    "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73),
    "set_robust_list": (273, 99), "getrandom": (318, 278), "membarrier": (324, 283),
    "statx": (332, 291), "rseq": (334, 293), "close_range": (436, 436), "faccessat2": (439, 439),
}  # fmt: skip
# What the warm parent has besides: to fork, to end its workers, to take more from them.
PARENT: dict[str, tuple[int | None, int | None]] = {
    "clone": (56, 220), "fork": (57, None), "wait4": (61, 260), "kill": (62, 129),
    "prctl": (157, 167), "seccomp": (317, 277), "prlimit64": (302, 261), "setrlimit": (160, 164),
    "getrlimit": (97, 163),
}  # fmt: skip
CONDITIONS = {
    "open": OPEN_TO_READ,
    "openat": OPENAT_TO_READ,
    "fcntl": PLAIN_FCNTL,
    "ioctl": MAKE_BLOCKING,
}


def allowing(*, parent: bool) -> list[Instruction] | None:
    """The filter of the warm parent or of a worker; None on a machine that is not known here."""
    machine = platform.machine()
    known = SYSCALLS.get(machine)
    if known is None:
        return None
    which = list(SYSCALLS).index(machine)
    program: list[Instruction] = [
        (LOAD_WORD, 0, 0, OFFSET_ARCHITECTURE),
        (JUMP_IF_EQUAL, 1, 0, known[0]),
        (RETURN, 0, 0, REFUSE),
        (LOAD_WORD, 0, 0, OFFSET_NUMBER),
        (JUMP_IF_AT_LEAST, 0, 1, X32_NUMBERS),
        (RETURN, 0, 0, REFUSE),
    ]
    for name, numbers in (WORKER | (PARENT if parent else {})).items():
        number = numbers[which]
        if number is not None:
            program += _rule(number, CONDITIONS.get(name))
    return [*program, (RETURN, 0, 0, REFUSE)]


def _rule(number: int, condition: Condition | None) -> Iterator[Instruction]:
    if condition is None:
        yield (JUMP_IF_EQUAL, 0, 1, number)
        yield (RETURN, 0, 0, ALLOW)
        return
    yield (JUMP_IF_EQUAL, 0, 4, number)
    yield (LOAD_WORD, 0, 0, OFFSET_FIRST_ARGUMENT + 8 * condition.argument)  # little-endian
    if condition.exactly is not None:
        yield (JUMP_IF_EQUAL, 1, 0, condition.exactly)
    elif condition.most is not None:
        yield (JUMP_IF_AT_LEAST, 0, 1, condition.most + 1)
    else:
        yield (JUMP_IF_ANY, 0, 1, condition.clear)
    yield (RETURN, 0, 0, REFUSE)
    yield (RETURN, 0, 0, ALLOW)
