"""The formats that are registered, loaded as the child loads them."""

import os
import subprocess
import sys

from daemon.extracting.child_handle import child_environment
from daemon.extracting.formats import FORMATS, PATIENT
from daemon.extracting.limits import Limits

LOAD = """
import pkgutil, resource, sys, daemon.extracting.child
from pathlib import Path
from daemon.extracting.sandbox import confine_parent
size = Path("/proc/self/statm") if sys.platform == "linux" else None
statm = size.open() if size else None
confine_parent()
for name in sys.argv[1:]:
    assert callable(pkgutil.resolve_name(name)), name
print(int(statm.read().split()[0]) * resource.getpagesize() if statm else 0)
"""


def test_every_format_is_a_module_of_ours() -> None:
    assert {name.partition(":")[0].rpartition(".")[0] for name in FORMATS.values()} == {
        "daemon.extracting"
    }
    assert FORMATS.keys() >= PATIENT


def test_every_format_loads_behind_the_walls_and_leaves_room_to_work() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOAD, *sorted(set(FORMATS.values()))],
        cwd="/", capture_output=True, text=True, check=False,
        env=child_environment(os.environ),
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < Limits().address_bytes // 2
