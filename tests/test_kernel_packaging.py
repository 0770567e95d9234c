"""The kernels in C are an optional part of the package: built where a compiler is there."""

import ctypes
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.building import COMPILER, LIBRARY, fresh_clone, run_build

PATHS = (b"avx512bf16", b"avx512", b"avx2", b"neon")
USING = """
from pathlib import Path
import torch
from trainer import nf4
from trainer.nf4_linear import LinearShape, dequantise, nf4_linear, quantise_linear

assert Path(nf4.__file__).is_relative_to(Path.cwd()), nf4.__file__
layer = nf4_linear(
    quantise_linear(torch.eye(64)), LinearShape(out_features=64, in_features=64), bias=None,
    compute_dtype=torch.float32, device=torch.device("cpu"),
)
assert torch.equal(dequantise(layer), torch.eye(64))
assert torch.equal(layer(torch.ones(2, 64)), torch.ones(2, 64))
print("kernels:", *nf4.paths())
"""


@pytest.mark.skipif(not COMPILER, reason="no C compiler: apt-get install gcc libc6-dev")
def test_an_editable_install_builds_the_library_where_the_package_lies(tmp_path: Path) -> None:
    """As `make setup` does in a fresh clone."""
    (tmp_path / "out").mkdir()
    place = fresh_clone(tmp_path)

    run_build("editable", place, tmp_path / "out")

    (built,) = [one for one in place.glob("trainer/*") if LIBRARY.fullmatch(f"trainer/{one.name}")]
    library = ctypes.CDLL(str(built))
    library.nf4_current_path.restype = ctypes.c_char_p
    assert library.nf4_current_path() in (b"portable", *PATHS)


@pytest.mark.timeout(180)  # a process that loads torch, on a busy machine
def test_without_a_compiler_the_package_is_built_and_says_once_that_it_is_slower(
    tmp_path: Path,
) -> None:
    for folder in ("clone", "out", "unpacked"):
        (tmp_path / folder).mkdir()

    said = run_build("wheel", fresh_clone(tmp_path / "clone"), tmp_path / "out", CC="/bin/false")

    assert 'building extension "trainer._nf4" failed' in said
    (built,) = (tmp_path / "out").iterdir()
    with zipfile.ZipFile(built) as archive:
        assert [name for name in archive.namelist() if name.endswith(".so")] == []
        archive.extractall(tmp_path / "unpacked")
    done = subprocess.run(
        [sys.executable, "-c", USING],
        cwd=tmp_path / "unpacked",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "kernels:\n"
    assert done.stderr.count("The fast 4-bit kernels were not built") == 1
