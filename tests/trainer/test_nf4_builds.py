"""The same C, built otherwise: for ARM under emulation, and natively with all checks of a compiler.

Everything lies at the very end of its memory, so that a load or store that reaches further is a
fault.
"""

import shutil
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.nf4_driver import (
    Program,
    attention,
    attention_over_pages,
    build,
    head,
    links,
    numbers,
)
from tests.trainer.nf4_driver import product as of_rows
from tests.trainer.nf4_matrices import bits, matrix, products, with_constants
from trainer.nf4 import MOST_RANK, ServedAdapter

DTYPES = (torch.bfloat16, torch.float32)
CHECKS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ARM = "aarch64-linux-gnu-gcc"
BUILDS = {  # by name: compiler, flags, and what runs the program
    "native": ("gcc", ["-O3"], []),
    "sanitized": ("gcc", CHECKS, []),
    "aarch64": (ARM, ["-O3", "-static"], ["qemu-aarch64"]),
}
PACKAGES = {
    "gcc": "gcc libc6-dev",
    ARM: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user",
}
SHAPES = [
    (1, 1), (1, 31), (1, 63), (1, 64), (1, 65), (3, 7), (5, 96), (1, 7 * 64), (1, 8 * 64),
    (1, 15 * 64), (1, 16 * 64 + 1), (17, 1000), (1, 256 * 64 - 1), (1, 256 * 64 + 1),
    (37, 1344), (1, 600 * 64 + 33),
]  # fmt: skip
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["bf16", "fp32"])
OF_PRODUCTS = [(1, 64), (5, 128), (14, 1344), (2, 4096 + 64)]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Program | None]:
    """The driver by the name of its build, made once each; None where it cannot be made."""
    folder: Path = tmp_path_factory.mktemp("nf4")

    @cache
    def made(name: str) -> Program | None:
        compiler, flags, runner = BUILDS[name]
        if any(shutil.which(needed) is None for needed in (compiler, *runner)):
            return None
        if not links(compiler, folder / "probe", *flags):
            return None
        return build(compiler, folder / name, *flags, runner=runner)

    return made


@pytest.fixture(params=sorted(BUILDS))
def program(request: pytest.FixtureRequest, programs: Callable[[str], Program | None]) -> Program:
    found = programs(request.param)
    if found is None:
        pytest.skip(f"{request.param}: needs apt-get install {PACKAGES[BUILDS[request.param][0]]}")
    return found


@pytest.fixture
def paths(program: Program) -> list[str]:
    """Those that run there, emulated or not."""
    found = program.paths()
    assert found[-1] == "portable"
    if len(program.command) > 1:
        assert found == ["neon", "portable"]
    return found


def test_numbers_are_bitsandbytes_numbers(program: Program, paths: list[str]) -> None:
    asked = [
        (matrix(*shape, double_quantised=double_quantised), dtype)
        for shape, double_quantised, dtype in product(SHAPES, (True, False), DTYPES)
    ]
    theirs = [bits(one.theirs(dtype)) for one, dtype in asked]
    for path in paths:
        found = program.compute(path, [numbers(one, dtype) for one, dtype in asked])
        for one, other in zip(found, theirs, strict=True):
            np.testing.assert_array_equal(bits(one), other, path)


def test_every_byte_with_every_kind_of_constant(program: Program, paths: list[str]) -> None:
    largest = torch.finfo(torch.float32).max
    one = with_constants(torch.tensor([0.0, -0.0, 1e-45, 1e-40, 1e-36, 0.02, -1.5, largest]))
    for path in paths:
        found = program.compute(path, [numbers(one, dtype) for dtype in DTYPES])
        for dtype, some in zip(DTYPES, found, strict=True):
            np.testing.assert_array_equal(bits(some), one.by_formula(dtype), path)


def test_results_that_bypass_the_caches_end_where_they_should(
    program: Program, paths: list[str]
) -> None:
    """Before the end of a page and of whole blocks, so aligned as streaming stores want it."""
    one = matrix(1, (8 << 20) // 2 + 5 * 64)
    for path in paths:
        (found,) = program.compute(path, [numbers(one, torch.bfloat16)])
        np.testing.assert_array_equal(bits(found), one.by_formula(torch.bfloat16), path)


@each_dtype
def test_products_are_right_and_each_row_stands_for_itself(
    program: Program, paths: list[str], dtype: torch.dtype
) -> None:
    for path, shape, double_quantised in product(paths, OF_PRODUCTS, (True, False)):
        one = matrix(*shape, double_quantised=double_quantised)
        x = torch.randn((16, shape[1])).to(dtype)
        together, *fewer = program.compute(
            path, [of_rows(one, x[:count]) for count in (16, 1, 3, 6)]
        )
        exact, bound = products(one.theirs(dtype), x)
        assert ((together.double() - exact).abs() <= bound).all(), path
        for found in fewer:
            assert torch.equal(found, together[: len(found)]), path


@each_dtype
@pytest.mark.parametrize("rank", [1, 16, 37, MOST_RANK])
def test_an_adapter_is_added_before_the_result_is_rounded(
    program: Program, paths: list[str], dtype: torch.dtype, rank: int
) -> None:
    one, x = matrix(14, 192), torch.randn((5, 192)).to(dtype)
    a, b = torch.randn((rank, 192)) / 14, torch.randn((14, rank)) / rank**0.5
    weights = one.theirs(dtype).double() + 2.0 * b.double() @ a.to(dtype).double()
    exact = x.double() @ weights.T
    for path in paths:
        case = of_rows(one, x, ServedAdapter(a, b, 2.0, dtype))
        (found,) = program.compute(path, [case])
        assert_close(found, exact, path)


@each_dtype
def test_each_row_has_its_adapter_as_if_it_were_alone(
    program: Program, paths: list[str], dtype: torch.dtype
) -> None:
    one, x = matrix(14, 192), torch.randn((5, 192)).to(dtype)
    ada, bea = (
        ServedAdapter(torch.randn((rank, 192)) / 14, torch.randn((14, rank)), 0.5, dtype)
        for rank in (16, 37)
    )
    for path in paths:
        both, some, of_ada, of_bea, plain = program.compute(
            path,
            [
                of_rows(one, x, ada, second=bea, mixed=True),
                of_rows(one, x, ada, mixed=True),
                *(of_rows(one, x, adapter) for adapter in (ada, bea, None)),
            ],
        )
        for row in range(5):
            assert torch.equal(both[row], (of_bea if row % 2 else of_ada)[row]), path
            assert torch.equal(some[row], (plain if row % 2 else of_ada)[row]), path


@each_dtype
def test_attention_over_pages_is_that_over_one_piece(
    program: Program, paths: list[str], dtype: torch.dtype
) -> None:
    lengths, (key_heads, group, size), window = (1, 128, 129, 300), (2, 2, 64), 130
    qkv = torch.randn((4, (group + 2) * key_heads * size)).to(dtype)
    q, new_keys, new_values = qkv.view(4, -1, size).split([4, 2, 2], dim=1)
    pages = [torch.randn((-(-one // 128), 2, 2, key_heads, 128, size)).to(dtype) for one in lengths]
    cases = [
        attention_over_pages(
            qkv, list(map(list, pages)), lengths, key_heads=key_heads, group=group, window=window,
            scale=1 / 8,
        )
    ]  # fmt: skip
    for row, (length, of_row) in enumerate(zip(lengths, pages, strict=True)):
        keys, values = torch.cat(list(of_row[:, 1]), dim=2)
        keys[:, length - 1], values[:, length - 1] = new_keys[row], new_values[row]
        first = torch.tensor([max(0, length - window)])
        of_q = q[row].reshape(1, key_heads, group, size)
        cases.append(attention(of_q, keys[None], values[None], length, first, 1 / 8))
    for path in paths:
        together, *alone = program.compute(path, cases)
        for row, found in enumerate(alone):
            assert torch.equal(together[row], found.reshape(-1)), path


@each_dtype
def test_heads_and_attention_are_right_and_each_row_stands_for_itself(
    program: Program, paths: list[str], dtype: torch.dtype
) -> None:
    weight, x = torch.randn((70, 96)).to(dtype), torch.randn((16, 96)).to(dtype)
    q = torch.randn((3, 2, 4, 64)).to(dtype)
    growing = torch.linspace(0.1, 3, 140)[:, None]  # the largest scores come last
    keys = (torch.randn((3, 2, 140, 64)) * growing).to(dtype)
    values = torch.randn((3, 2, 140, 64)).to(dtype)
    length, first = 131, torch.tensor([0, 57, 130])
    scores = q.double() @ keys[:, :, :length].double().transpose(2, 3) / 8
    hidden = torch.arange(length) < first[:, None, None, None]
    shares = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    cases = [
        head(weight, x),
        *(head(weight, x[row : row + 1]) for row in range(3)),
        attention(q, keys, values, length, first, 1 / 8),
        *(
            attention(
                q[row, None], keys[row, None], values[row, None], length, first[row, None], 1 / 8
            )
            for row in range(3)
        ),
    ]
    for path in paths:
        found = program.compute(path, cases)
        assert_close(found[0], x.double() @ weight.double().T, path)
        assert_close(found[4], shares @ values[:, :, :length].double(), path)
        assert torch.equal(torch.cat(found[1:4]), found[0][:3]), path
        assert torch.equal(torch.cat(found[5:8]), found[4]), path


def assert_close(found: torch.Tensor, exact: torch.Tensor, path: str) -> None:
    """To one rounding of the result and some of sums in fp32."""
    rounding = 2**-8 if found.dtype == torch.bfloat16 else 2**-24
    bound = rounding * exact.abs() + 2**-19 * exact.abs().max()
    assert ((found.double() - exact).abs() <= bound).all(), path
