"""Few rows times a 4-bit matrix: right, each row for itself, in any thread and any child."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.nf4_matrices import bits, matrix, products, threads
from trainer import nf4

PATHS = nf4.paths()
pytestmark = pytest.mark.skipif(not PATHS, reason="the kernels were not built: no C compiler")
ROOT = Path(__file__).parents[2]

each_path = pytest.mark.parametrize("path", PATHS)
each_dtype = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bf16", "fp32"])


def rows(count: int, in_features: int, dtype: torch.dtype, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn((count, in_features), generator=draw).to(dtype)


@each_path
@each_dtype
@pytest.mark.parametrize("double_quantised", [True, False])
@pytest.mark.parametrize(
    ("out_features", "in_features"), [(1, 64), (5, 128), (33, 1344), (7, 4096), (3, 11008)]
)
def test_a_product_is_right_to_the_rounding_of_its_sums(
    path: str, dtype: torch.dtype, double_quantised: bool, out_features: int, in_features: int
) -> None:
    one = matrix(out_features, in_features, double_quantised=double_quantised)
    for count in (1, 2, 3, 7, 8, 15, 16):
        x = rows(count, in_features, dtype)
        with nf4.path(path):
            found = one.ours.matmul(x)
        exact, bound = products(one.theirs(dtype), x)
        assert found.dtype == dtype
        assert found.shape == (count, out_features)
        assert ((found.double() - exact).abs() <= bound).all()


@each_path
@each_dtype
@settings(deadline=None, max_examples=40)
@given(chosen=st.lists(st.integers(0, 15), min_size=1, max_size=16), shape=st.sampled_from([0, 1]))
def test_a_row_is_the_same_bits_whatever_other_rows_are_there(
    path: str, dtype: torch.dtype, chosen: list[int], shape: int
) -> None:
    out_features, in_features = ((9, 192), (2, 4096 + 64))[shape]
    one, x = matrix(out_features, in_features).ours, rows(16, in_features, dtype)
    with nf4.path(path):
        alone = torch.cat([one.matmul(row[None]) for row in x])
        np.testing.assert_array_equal(bits(one.matmul(x[chosen])), bits(alone[chosen]))


@each_path
@each_dtype
def test_a_row_that_is_not_a_number_spoils_no_other(path: str, dtype: torch.dtype) -> None:
    one, x = matrix(9, 192).ours, rows(4, 192, dtype)
    x[1, 17], x[2] = float("nan"), float("inf")
    with nf4.path(path):
        found = one.matmul(x)
        assert not found[1].isfinite().any()
        assert not found[2].isfinite().any()
        np.testing.assert_array_equal(bits(found[[0, 3]]), bits(one.matmul(x[[0, 3]])))


@each_path
@each_dtype
@pytest.mark.parametrize("count", [1, 5, 16])
def test_more_threads_give_the_same_bits(path: str, dtype: torch.dtype, count: int) -> None:
    one, x = matrix(520, 576).ours, rows(count, 576, dtype)
    assert nf4.ONE_THREAD_WEIGHTS < 520 * 576
    with nf4.path(path):
        with threads(1):
            alone = one.matmul(x)
        for more in (2, 3, 100):
            with threads(more):
                np.testing.assert_array_equal(bits(one.matmul(x)), bits(alone))


@each_path
@each_dtype
def test_a_product_fills_its_columns_of_a_wider_result(path: str, dtype: torch.dtype) -> None:
    one, x = matrix(9, 192).ours, rows(5, 192, dtype)
    wide = torch.full((5, 30), 7.0, dtype=dtype)
    with nf4.path(path):
        one.matmul(x, out=wide[:, 11:20])
        np.testing.assert_array_equal(bits(wide[:, 11:20]), bits(one.matmul(x)))
    assert (wide[:, :11] == 7).all()
    assert (wide[:, 20:] == 7).all()


@each_path
def test_rows_of_x_need_not_lie_side_by_side(path: str) -> None:
    one, x = matrix(9, 192).ours, rows(4, 384, torch.bfloat16)
    with nf4.path(path):
        np.testing.assert_array_equal(
            bits(one.matmul(x[:, ::2])), bits(one.matmul(x[:, ::2].contiguous()))
        )


@pytest.mark.parametrize(
    ("count", "in_features", "width"),
    [(0, 64, 64), (17, 64, 64), (1, 96, 96), (1, 32, 32), (2, 64, 128), (2, 128, 64)],
)
def test_other_shapes_are_refused(count: int, in_features: int, width: int) -> None:
    one = matrix(4, in_features)
    with pytest.raises(ValueError, match=r"x is not|no multiple"):
        one.ours.matmul(torch.zeros((count, width)))


@pytest.mark.parametrize(("count", "in_features"), [(0, 64), (17, 64), (1, 96), (1, 0), (-1, 64)])
def test_the_library_refuses_them_too(count: int, in_features: int) -> None:
    library, one, x = nf4.kernels(), matrix(4, 64).ours, torch.zeros(64)
    assert library is not None
    assert not library.nf4_matmul(
        one._weights, 1, in_features, x.data_ptr(), count, x.data_ptr(), 1, None, 1, 1
    )


# --------------------------------------------------------------------------- threads and forks


@each_path
def test_calls_from_several_threads_do_not_mix(path: str) -> None:
    """One of them has the helpers, the others do without."""
    ours = [matrix(520, 576, seed=seed).ours for seed in range(4)]
    x = [rows(count, 576, torch.bfloat16, seed=count) for count in (1, 4, 8, 16)]

    def work(number: int) -> bool:
        torch.set_num_threads(2)  # each thread has a number of its own
        one = ours[number]
        return all(
            bytes(bits(one.matmul(x[number]))) == products_[number]
            and bytes(bits(one.dequantise(torch.bfloat16))) == numbers[number]
            for _ in range(12)
        )

    with nf4.path(path):
        products_ = [bytes(bits(one.matmul(some))) for one, some in zip(ours, x, strict=True)]
        numbers = [bytes(bits(one.dequantise(torch.bfloat16))) for one in ours]
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(4)))


FORKING = """
import os, signal, threading
import torch
from tests.trainer.nf4_matrices import bits, matrix

torch.set_num_threads(2)
one, x = matrix(520, 576).ours, torch.ones((3, 576), dtype=torch.bfloat16)
wanted = bytes(bits(one.matmul(x)))
done = threading.Event()

def keep_working():
    torch.set_num_threads(2)
    while not done.is_set():
        one.matmul(x)

busy = threading.Thread(target=keep_working)
busy.start()
for _ in range(15):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that waits for its parent's threads would wait for ever
        right = all(bytes(bits(one.matmul(x))) == wanted for _ in range(3))
        os._exit(0 if right else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
done.set()
busy.join()
assert bytes(bits(one.matmul(x))) == wanted
"""


@pytest.mark.timeout(180)  # a process that loads torch, on a busy machine
def test_a_child_of_fork_can_compute_whatever_its_parent_was_doing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
