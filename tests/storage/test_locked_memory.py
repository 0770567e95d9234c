"""Keys out of swap: what is said to be locked is locked, as the kernel counts it."""

import json
import resource
import subprocess
import sys

import pytest

from storage.vault import Vault

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="mlock as Linux has it")

# In a process of its own, with a limit of its own: limits cannot be raised again.
PROGRAM = """
import json, resource, sys
from pathlib import Path
hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
limit = int(sys.argv[1]) if hard < 0 else min(int(sys.argv[1]), hard)
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, hard if limit < 0 else limit))
from storage.locked_memory import lock_keys, lock_process, together
from storage.sealing import new_key

def locked_kib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmLck:")[2].split()[0])

process = lock_process()
keys = [new_key() for _ in range(5)]
after_process = locked_kib()
with_keys = together(process, lock_keys(keys))
print(json.dumps([process.extent, process.why, with_keys.extent, after_process, locked_kib()]))
"""


def locked(limit: int) -> tuple[str, str | None, str, int, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(limit)], capture_output=True, text=True, check=True
    )
    process, why, keys, before, after = json.loads(done.stdout)
    return process, why, keys, before, after


@linux_only
def test_under_a_small_limit_the_pages_of_the_keys_are_locked() -> None:
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    if hard != resource.RLIM_INFINITY and hard < 64 * 1024:
        pytest.skip("the hard limit of locked memory is smaller here")
    process, why, keys, before, after = locked(64 * 1024)

    if process == "group":
        pytest.skip("this control group never swaps")
    assert process == "nothing"
    assert why is not None
    assert "64 KiB" in why
    assert keys == "keys"
    assert before == 0
    assert 4 <= after <= 64


@linux_only
def test_without_a_limit_all_of_the_process_is_locked() -> None:
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY:
        pytest.skip("the hard limit of locked memory is finite here")
    process, why, keys, before, _ = locked(-1)

    if process == "group":
        pytest.skip("this control group never swaps")
    assert (process, why, keys) == ("process", None, "process")
    assert before > 1000


@linux_only
def test_where_nothing_may_be_locked_nothing_is_claimed() -> None:
    process, why, keys, _, after = locked(0)

    if process == "group" or after:  # the limit does not bind root
        pytest.skip("this process may lock memory all the same")
    assert keys == "nothing"
    assert why is not None


def test_an_open_vault_says_what_it_has_locked(vault: Vault) -> None:
    before = vault.memory

    vault.rotate()

    assert vault.memory == before
    assert vault.memory.extent in ("keys", "nothing")
    assert (vault.memory.why is None) == (vault.memory.extent == "keys")
