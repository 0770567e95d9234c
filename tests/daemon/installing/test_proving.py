"""Probes of a unit's directives: each says what is in force in a process, tried in real ones."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.installing.proving import PROBES, Proof, not_in_force, prove

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these")

# What a process does to itself here, systemd does to a service.
CONFINED = """
import errno, os, platform, resource
from daemon.confinement import ALLOW, JUMP_IF_EQUAL, LOAD_WORD, OFFSET_NUMBER, RETURN
from daemon.confinement import _deny_network, install_filter
_deny_network()  # sockets, and all but this machine's own way to call
PTRACE, FCHMOD = {"x86_64": (101, 91), "aarch64": (117, 52)}[platform.machine()]
assert install_filter((
    (LOAD_WORD, 0, 0, OFFSET_NUMBER),
    (JUMP_IF_EQUAL, 2, 0, PTRACE),
    (JUMP_IF_EQUAL, 1, 0, FCHMOD),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, 0x00050000 | errno.EPERM),
))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.umask(0o077)
"""
TRIED = ("NoNewPrivileges", "RestrictAddressFamilies", "SystemCallFilter",
         "SystemCallArchitectures", "RestrictSUIDSGID", "LimitCORE", "UMask")  # fmt: skip


def proofs_of(before: str) -> dict[str, Proof]:
    """In a process of its own that does something to itself before."""
    code = (
        f"{before}\nimport json\nfrom daemon.installing.proving import *\n"
        "print(json.dumps([one.to_json() for one in prove(PROBES)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return {one["name"]: Proof(**one) for one in told}


def test_what_is_forbidden_is_found_to_be() -> None:
    found = proofs_of(CONFINED)

    assert {name: found[name].holds for name in TRIED if found[name].holds is not None} == {
        name: True for name in TRIED if found[name].holds is not None
    }


def test_what_is_not_forbidden_is_found_not_to_be() -> None:
    found = proofs_of("import os; os.umask(0o022)")

    assert not found["UMask"].holds
    assert not found["RestrictAddressFamilies"].holds
    assert not found["LockPersonality"].holds
    assert found["RestrictAddressFamilies"].value.startswith("opening a socket worked: AF_INET")


def test_trying_leaves_nothing_behind() -> None:
    code = """
import ctypes, os
from pathlib import Path
from daemon.installing.proving import PROBES, prove
libc = ctypes.CDLL(None)
def state():
    mask = os.umask(0); os.umask(mask)
    return mask, libc.personality(0xFFFFFFFF), sorted(os.listdir("/proc/self/fd"))
before = state()
prove(PROBES)
assert state() == before, (before, state())
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_directive_that_nobody_can_try_does_not_hold() -> None:
    (proof,) = prove(["PrivateDreams"])

    assert proof.holds is False
    assert "PrivateDreams" not in PROBES


def test_the_warning_names_what_is_not_in_force() -> None:
    good = Proof(name="A", holds=True, value="")
    untried = Proof(name="B", holds=None, value="")
    bad = Proof(name="C", holds=False, value="")

    assert not_in_force([good, untried]) == []
    (warning,) = not_in_force([good, bad, untried])
    assert warning["value"] == "not in force: C"
