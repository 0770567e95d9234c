"""Without the kernels: the same numbers by bitsandbytes, right products, one line in the log."""

import _ctypes
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.nf4_matrices import bits, matrix, products
from trainer import nf4
from trainer.nf4_function import Part, linear

DTYPES = (torch.bfloat16, torch.float32)
SLOWER = "The fast 4-bit kernels were not built (no C compiler?); nights and answers are slower."
E_MACHINE = 18  # where an ELF file names its processor, in two bytes
RISC_V = 243


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where `nf4` now looks for its library; there is none yet."""
    monkeypatch.setattr(nf4, "__file__", str(tmp_path / "nf4.py"))
    nf4.kernels.cache_clear()
    yield tmp_path / "_nf4.so"
    nf4.kernels.cache_clear()


def built() -> Path:
    """The library in the package."""
    library = nf4.kernels()
    if library is None:
        pytest.skip("the kernels were not built: no C compiler")
    return Path(library._name)


# --------------------------------------------------------------------------- the same, slower


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("dtype", DTYPES, ids=["bf16", "fp32"])
@pytest.mark.parametrize("double_quantised", [True, False])
@pytest.mark.parametrize("shape", [(1, 64), (3, 96), (17, 1000), (5, 256 * 64)])
def test_numbers_are_the_same(
    dtype: torch.dtype, double_quantised: bool, shape: tuple[int, int]
) -> None:
    one = matrix(*shape, double_quantised=double_quantised)
    found = one.ours.dequantise(dtype)
    assert found.shape == shape
    np.testing.assert_array_equal(bits(found), one.by_formula(dtype))
    room = torch.full((one.count + 9,), 7.0, dtype=dtype)
    one.ours.dequantise(dtype, out=room)
    np.testing.assert_array_equal(bits(room[: one.count]), bits(found))
    assert (room[one.count :] == 7).all()


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("dtype", DTYPES, ids=["bf16", "fp32"])
def test_products_are_right_and_each_row_stands_for_itself(dtype: torch.dtype) -> None:
    one, x = matrix(33, 1344), torch.randn(16, 1344).to(dtype)
    found = one.ours.matmul(x)
    exact, bound = products(one.theirs(dtype), x, lanes=1)
    assert ((found.double() - exact).abs() <= bound).all()
    for chosen in ([3], [15, 0], list(range(1, 9))):
        np.testing.assert_array_equal(bits(one.ours.matmul(x[chosen])), bits(found[chosen]))
    wide = torch.full((16, 50), 7.0, dtype=dtype)
    one.ours.matmul(x, out=wide[:, 10:43])
    np.testing.assert_array_equal(bits(wide[:, 10:43]), bits(found))
    assert (wide[:, 43:] == 7).all()


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(("count", "width"), [(0, 64), (17, 64), (2, 128)])
def test_the_same_shapes_are_refused(count: int, width: int) -> None:
    with pytest.raises(ValueError, match="x is not"):
        matrix(4, 64).ours.matmul(torch.zeros((count, width)))


@pytest.mark.usefixtures("beside")
def test_a_layer_learns_and_answers_without_kernels() -> None:
    one, x = matrix(8, 64), torch.randn(20, 64, requires_grad=True)
    weights = one.theirs(torch.float32)
    y = linear(x, Part(one.ours))
    y.sum().backward()
    torch.testing.assert_close(y, x @ weights.T)
    torch.testing.assert_close(x.grad, weights.sum(0).expand(20, -1))
    with torch.no_grad():
        torch.testing.assert_close(linear(x[:2], Part(one.ours)), y[:2])


@pytest.mark.usefixtures("beside")
def test_there_is_no_path_to_choose() -> None:
    assert nf4.paths() == []
    with pytest.raises(ValueError, match="no kernels for portable"), nf4.path("portable"):
        pass


# --------------------------------------------------------------------------- which library is used


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str]]:
    return [record for record in caplog.record_tuples if record[0] == nf4.log.name]


@pytest.mark.usefixtures("beside")
def test_a_library_that_is_not_there_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    one = matrix(4, 64).ours
    for _ in range(3):
        one.dequantise(torch.bfloat16)
        one.matmul(torch.zeros((1, 64)))
    assert said(caplog) == [(nf4.log.name, logging.WARNING, SLOWER)]


def test_the_library_that_was_built_is_used_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    source = built()
    nf4.kernels.cache_clear()
    assert nf4.kernels() is not None
    assert source.parent == Path(nf4.__file__).parent
    assert nf4.paths()[-1] == "portable"
    assert said(caplog) == []


def test_a_library_with_another_interface_is_not_used(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = built()
    shutil.copy(source, request.getfixturevalue("beside"))
    assert nf4.kernels() is not None
    nf4.kernels.cache_clear()
    monkeypatch.setattr(nf4, "ABI", nf4.ABI + 1)
    assert nf4.kernels() is None
    assert len(said(caplog)) == 1


@pytest.mark.parametrize("kind", ["of another machine", "cut off", "no library", "a stranger"])
def test_what_is_no_library_of_ours_is_not_used(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytearray(built().read_bytes())
    if kind == "of another machine":
        data[E_MACHINE : E_MACHINE + 2] = RISC_V.to_bytes(2, "little")
    elif kind == "cut off":
        del data[40:]
    elif kind == "no library":
        data[:] = b"#!/bin/sh\n"
    else:
        data[:] = Path(_ctypes.__file__).read_bytes()
    place: Path = request.getfixturevalue("beside")
    place.write_bytes(data)
    assert nf4.kernels() is None
    assert len(said(caplog)) == 1
    one = matrix(4, 64)
    np.testing.assert_array_equal(
        bits(one.ours.dequantise(torch.float32)), one.by_formula(torch.float32)
    )
