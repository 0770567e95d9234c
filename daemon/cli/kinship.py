"""Processes that must not outlive the one that started them (Linux).

Elsewhere these do nothing and say so by returning False.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


def end_with_parent(parent: int) -> bool:
    """This process gets SIGTERM when its parent dies, even by SIGKILL."""
    if not _prctl(PR_SET_PDEATHSIG, signal.SIGTERM):
        return False
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
    return True


def adopt_orphans() -> bool:
    """Grandchildren whose parent dies become children of this process, so it can end them."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, argument: int) -> bool:
    if sys.platform != "linux":
        return False
    refused: int = ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
    return not refused
