"""Whether what a unit asked for is in force: each directive tried, or read from the kernel.

Tried at the service's start, before it holds anything secret. A manager may leave out what the
kernel or its own rights do not allow, and says so only in its log; so nothing is believed here.
Every try is harmless where it succeeds.
"""

import ctypes
import errno
import mmap
import os
import platform
import resource
import socket
import stat
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daemon.group_memory import group_file

PR_SET_DUMPABLE = 4
PR_GET_NO_NEW_PRIVS = 39
READ_PERSONALITY = 0xFFFFFFFF
ADDR_NO_RANDOMIZE = 0x0040000
UNKNOWN_PTRACE = 4096  # no request of ptrace(2); process 0 is nobody's
NETWORKS = ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET")
REFUSALS = (errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM)
GETPID_32 = 20
MOST_USERS = 2
# What every network namespace has from the start, once the kernel's module for it is loaded.
NO_DEVICES = {"lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip6gre0", "ip_vti0",
              "ip6_vti0"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What trying one directive gave, in words of ours."""

    name: str
    holds: bool | None  # None: there is no trying it on this machine
    value: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def prove(asked: Iterable[str]) -> tuple[Proof, ...]:
    """One proof for each directive; one that nobody can try does not hold."""
    return tuple(_prove(name) for name in asked)


def not_in_force(proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """As a warning of `status`, if there are any."""
    names = [proof.name for proof in proofs if proof.holds is False]
    if not names:
        return []
    return [
        {
            "name": "service unit",
            "value": f"not in force: {', '.join(names)}",
            "advice": "`nightloom service status` says what trying each of them gave.",
        }
    ]


def _prove(name: str) -> Proof:
    probe = PROBES.get(name)
    if probe is None:
        return Proof(name=name, holds=False, value="nobody knows how to try it")
    try:
        holds, value = probe()
    except OSError:  # a kernel, or another guard, that refuses the trying itself
        return Proof(name=name, holds=None, value="could not be tried")
    return Proof(name=name, holds=holds, value=value)


# --------------------------------------------------------------------------- the probes

Found = tuple[bool | None, str]


def _no_new_privileges() -> Found:
    held = _libc().prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
    return held, "set" if held else "not set"


def _address_families() -> Found:
    opened = [name for name in NETWORKS if hasattr(socket, name) and not _is_refused(name)]
    if opened:
        return False, f"opening a socket worked: {', '.join(opened)}"
    return True, f"opening a socket was refused: {', '.join(NETWORKS)}"


def _is_refused(family: str) -> bool:
    try:
        socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()
    except OSError as error:
        return error.errno in REFUSALS
    return False


def _system_calls() -> Found:
    """ptrace(2) is none of @system-service; without a filter it looks for the process first."""
    ctypes.set_errno(0)
    _libc().ptrace(UNKNOWN_PTRACE, 0, None, None)
    refused = ctypes.get_errno() == errno.EPERM
    return refused, "tracing was refused" if refused else "tracing was not refused"


def _second_convention() -> Found:
    """A 32-bit call in a child of its own, which may die of it; x86-64 alone has one to try."""
    if platform.machine() != "x86_64":
        return None, "not tried on this processor"
    code = _code_of_32_bit(GETPID_32)  # here: where it cannot be made, nothing was refused
    child = os.fork()
    if child == 0:
        answered = False
        try:
            # nobody keeps a report of a death that is meant
            _libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
            answered = _called(code) == os.getpid()
        finally:
            os._exit(0 if answered else 1)
    _, ended = os.waitpid(child, 0)
    refused = ended != 0
    return refused, "a 32-bit call was refused" if refused else "a 32-bit call was answered"


def _code_of_32_bit(number: int) -> mmap.mmap:
    """A function that makes the call. Raises OSError where no code may be made."""
    code = b"\xb8" + number.to_bytes(4, "little") + b"\xcd\x80\xc3"  # mov eax; int 0x80; ret
    memory = mmap.mmap(-1, len(code), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    return memory


def _called(code: mmap.mmap) -> int:
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


def _personality() -> Found:
    libc = _libc()
    now = libc.personality(READ_PERSONALITY)
    if libc.personality(now ^ ADDR_NO_RANDOMIZE) == -1:
        return True, "changing it was refused"
    libc.personality(now)
    return False, "it could be changed"


def _set_user_id() -> Found:
    descriptor = os.memfd_create("probe")
    try:
        # not executable: some kernels refuse that of such a file, and that is not the question
        os.fchmod(descriptor, stat.S_ISUID | 0o600)
    except PermissionError:
        return True, "making such a file was refused"
    finally:
        os.close(descriptor)
    return False, "such a file could be made"


def _core_limit() -> Found:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    held = (soft, hard) == (0, 0)
    return held, "none can be written" if held else "could be allowed"


def _umask() -> Found:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask & 0o077 == 0o077, f"{mask:04o}"


def _swap() -> Found:
    limit = _group("memory.swap.max")
    return limit == "0", "none" if limit == "0" else _unlimited(limit)


def _memory_high() -> Found:
    limit = _group("memory.high")
    if limit is None or not limit.isdigit():
        return False, _unlimited(limit)
    return True, f"{int(limit) >> 20} MiB"


def _group(name: str) -> str | None:
    file = group_file(name)
    try:
        return None if file is None else file.read_text("ascii").strip()
    except OSError:
        return None


def _unlimited(limit: str | None) -> str:
    return "no memory controller for a user's services" if limit is None else "no limit"


def _users() -> Found:
    """The user, and root at most; a container of many users is not what was asked for."""
    lines = Path("/proc/self/uid_map").read_text("ascii").splitlines()
    own = sum(int(line.split()[2]) for line in lines) <= MOST_USERS
    return own, "other users are nobody" if own else "others are there as well"


def _network_devices() -> Found:
    lines = Path("/proc/self/net/dev").read_text("ascii").splitlines()[2:]
    names = {line.partition(":")[0].strip() for line in lines} - NO_DEVICES
    return not names, "no network devices" if not names else f"{len(names)} network devices"


def _temporary_folder() -> Found:
    lines = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    own = any(line.split()[4] == "/tmp" and "systemd-private" in line for line in lines)  # noqa: S108
    return own, "its own" if own else "shared"


def _read_only_system() -> Found:
    return _read_only("/usr", "/etc")  # some systems have a /usr that nobody can write to anyway


def _read_only_home() -> Found:
    return _read_only(Path.home())


def _read_only(*folders: str | Path) -> Found:
    held = all(os.statvfs(folder).f_flag & os.ST_RDONLY for folder in folders)
    return held, "read-only" if held else "not read-only"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


PROBES: dict[str, Callable[[], Found]] = {
    "NoNewPrivileges": _no_new_privileges,
    "RestrictAddressFamilies": _address_families,
    "SystemCallFilter": _system_calls,
    "SystemCallArchitectures": _second_convention,
    "LockPersonality": _personality,
    "RestrictSUIDSGID": _set_user_id,
    "LimitCORE": _core_limit,
    "UMask": _umask,
    "MemorySwapMax": _swap,
    "MemoryHigh": _memory_high,
    "PrivateUsers": _users,
    "PrivateNetwork": _network_devices,
    "PrivateTmp": _temporary_folder,
    "ProtectSystem": _read_only_system,
    "ProtectHome": _read_only_home,
}
