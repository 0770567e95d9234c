"""4-bit codes to numbers: the same bits as bitsandbytes, on every path, shape and constant."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.nf4_matrices import Matrix, bits, matrix, threads, with_constants
from trainer import nf4

PATHS = nf4.paths()
pytestmark = pytest.mark.skipif(not PATHS, reason="the kernels were not built: no C compiler")
DTYPES = (torch.bfloat16, torch.float32)
MIB = 1 << 20
FLT_MAX = torch.finfo(torch.float32).max
LOWEST_NORMAL = torch.finfo(torch.float32).tiny

each_path = pytest.mark.parametrize("path", PATHS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["bf16", "fp32"])


def assert_same_numbers(one: Matrix, dtype: torch.dtype) -> None:
    """Bit by bit what bitsandbytes and the formula say."""
    found = bits(one.ours.dequantise(dtype))
    np.testing.assert_array_equal(found, bits(one.theirs(dtype)))
    np.testing.assert_array_equal(found, one.by_formula(dtype))


# --------------------------------------------------------------------------- codes to numbers


@each_path
@each_dtype
@pytest.mark.parametrize("double_quantised", [True, False])
@pytest.mark.parametrize(
    ("out_features", "in_features"),
    [
        (1, 1), (1, 2), (1, 31), (1, 63), (1, 64), (1, 65), (3, 7), (1, 127), (1, 4095),
        (5, 96), (17, 1000), (1, 256 * 64 - 1), (1, 256 * 64), (1, 256 * 64 + 1),
        (2, 256 * 64 + 32), (37, 1344), (1, 600 * 64 + 33),
    ],
)  # fmt: skip
def test_numbers_are_bitsandbytes_numbers(
    path: str, dtype: torch.dtype, double_quantised: bool, out_features: int, in_features: int
) -> None:
    one = matrix(out_features, in_features, double_quantised=double_quantised)
    with nf4.path(path):
        assert_same_numbers(one, dtype)


@each_path
@each_dtype
@settings(deadline=None, max_examples=40)
@given(
    out_features=st.integers(1, 24), in_features=st.integers(1, 300),
    double_quantised=st.booleans(), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_numbers_of_any_shape_are_bitsandbytes_numbers(
    path: str,
    dtype: torch.dtype,
    out_features: int,
    in_features: int,
    double_quantised: bool,
    seed: int,
) -> None:
    one = matrix(out_features, in_features, double_quantised=double_quantised, seed=seed)
    with nf4.path(path):
        assert_same_numbers(one, dtype)


@each_path
@each_dtype
@settings(deadline=None, max_examples=40)
@given(
    blocks=st.lists(
        st.tuples(
            st.floats(width=32, allow_nan=False, allow_infinity=False),
            st.binary(min_size=32, max_size=32),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_numbers_of_any_constants_are_those_of_the_formula(
    path: str, dtype: torch.dtype, blocks: list[tuple[float, bytes]]
) -> None:
    codes = torch.frombuffer(bytearray(b"".join(codes for _, codes in blocks)), dtype=torch.uint8)
    one = with_constants(torch.tensor([constant for constant, _ in blocks]), codes)
    with nf4.path(path):
        np.testing.assert_array_equal(bits(one.ours.dequantise(dtype)), one.by_formula(dtype))


@each_path
@each_dtype
def test_every_byte_with_every_kind_of_constant(path: str, dtype: torch.dtype) -> None:
    """Where a bf16 result is below the normal numbers bitsandbytes gives 0 on some CPUs, and on
    the same CPU the number itself for other shapes; ours is the number everywhere."""
    one = with_constants(
        torch.tensor(
            [
                0.0,
                -0.0,
                1e-45,
                1e-40,
                LOWEST_NORMAL,
                1e-36,
                0.02,
                1.0,
                -1.5,
                3e38,
                FLT_MAX,
                -FLT_MAX,
            ]
        )
    )
    with nf4.path(path):
        found = one.ours.dequantise(dtype)
    np.testing.assert_array_equal(bits(found), one.by_formula(dtype))
    theirs, tiny = one.theirs(dtype), found.abs() < LOWEST_NORMAL
    np.testing.assert_array_equal(bits(found[~tiny]), bits(theirs[~tiny]))
    assert (theirs[tiny].abs() <= found[tiny].abs()).all()
    assert int((~tiny).sum()) > 6 * 15 * 32


@each_path
@each_dtype
@pytest.mark.parametrize("count", [1, 3])
def test_large_results_that_bypass_the_caches_are_the_same(
    path: str, dtype: torch.dtype, count: int
) -> None:
    one = matrix(1, 8 * MIB // dtype.itemsize + 5 * 64 + 31, double_quantised=count == 3)
    with nf4.path(path), threads(count):
        for offset in (0, 1):  # as torch lays it out, and where a streaming store would fault
            room = torch.empty(one.count + 64, dtype=dtype)[offset:]
            found = one.ours.dequantise(dtype, out=room)
            assert found.data_ptr() == room.data_ptr()
            np.testing.assert_array_equal(bits(found), one.by_formula(dtype))
    np.testing.assert_array_equal(bits(found), bits(one.theirs(dtype)))


@each_path
@each_dtype
@pytest.mark.parametrize("offset", [1, 2, 5, 16, 31])
def test_a_result_anywhere_in_memory_leaves_its_neighbours_alone(
    path: str, dtype: torch.dtype, offset: int
) -> None:
    one = matrix(7, 4 * 64 + 9)
    room = torch.full((one.count + 64,), 7.0, dtype=dtype)
    with nf4.path(path):
        one.ours.dequantise(dtype, out=room[offset:])
    inside = room[offset : offset + one.count]
    np.testing.assert_array_equal(bits(inside), bits(one.theirs(dtype)))
    assert (room[:offset] == 7).all()
    assert (room[offset + one.count :] == 7).all()


def test_a_room_of_another_dtype_or_too_small_is_refused() -> None:
    one = matrix(3, 64)
    with pytest.raises(AssertionError):
        one.ours.dequantise(torch.float32, out=torch.empty(one.count, dtype=torch.bfloat16))
    with pytest.raises(RuntimeError):
        one.ours.dequantise(torch.float32, out=torch.empty(one.count - 1))


def test_a_path_that_does_not_run_here_is_refused_and_the_best_stays() -> None:
    library = nf4.kernels()
    assert library is not None
    for name in ("no such path", ""):
        with pytest.raises(ValueError, match="no kernels"), nf4.path(name):
            pass
    with nf4.path("portable"):
        assert library.nf4_current_path() == b"portable"
    assert library.nf4_current_path().decode() == PATHS[0]
