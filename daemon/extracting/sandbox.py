"""What the child takes away from itself, for good: the warm parent a lot, a worker all the rest.

The parent keeps reading of Python's own folders and forking. A worker keeps computing, memory up to
a limit, the file that it was given and the socket that it answers on.
"""

import errno
import math
import os
import resource
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daemon.confinement import die_with_parent, install_filter, network_is_denied, protect_memory
from daemon.extracting.landlock import may_only_read
from daemon.extracting.limits import Limits
from daemon.extracting.syscalls import allowing

OPEN_FILES = 64
# Libraries of the system, character sets, the zone of local time.
SYSTEM_FOLDERS = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo",
    "/etc/localtime", "/etc/ld.so.cache", "/dev/urandom",
)  # fmt: skip


def confine_parent() -> bool:
    """No network, no writing, no other program, no reading but of what Python is made of.

    False where the walls should stand, on this system and machine, and do not.
    """
    with suppress(OSError):  # should memory run out, this one goes and not the service
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    protect_memory()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    may_only_read(dict.fromkeys(_folders_of_python()))
    program = allowing(parent=True)
    if sys.platform != "linux" or program is None:
        return True
    return install_filter(program) and network_is_denied() and _writing_is_denied()


def confine_worker(limits: Limits, seconds: float, parent: int) -> None:
    """Also no forking and no signals to others; and the limits on time and memory."""
    die_with_parent(parent)
    whole = math.ceil(seconds)
    for which, soft, hard in (
        (resource.RLIMIT_CPU, whole, whole + 1),  # a signal that says why, and then one that kills
        (resource.RLIMIT_AS, limits.address_bytes, limits.address_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
    ):
        with suppress(ValueError, OSError):  # a system that has no such limit
            resource.setrlimit(which, (soft, hard))
    program = allowing(parent=False)
    if sys.platform == "linux" and program is not None:
        install_filter(program)


def _writing_is_denied() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_WRONLY))
    except OSError as error:
        return error.errno == errno.EACCES
    return False


def _folders_of_python() -> Iterator[Path]:
    named = [*SYSTEM_FOLDERS, *sys.path, *sysconfig.get_paths().values()]
    yield from (Path(name) for name in named if name)
    for module in list(sys.modules.values()):  # those too that an editable install has elsewhere
        if module.__name__ in ("daemon", "ipc", "storage"):
            yield from (Path(one) for one in getattr(module, "__path__", ()))
    libraries = sysconfig.get_config_var("LIBDIR")
    if libraries:
        yield Path(libraries)
