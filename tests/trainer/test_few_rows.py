"""What answers are made with beside the codes: adapters, heads in full, attention of new tokens."""

import math
from collections.abc import Iterator

import pytest
import torch

from trainer import nf4
from trainer.nf4 import (
    MOST_ROWS,
    PAGE_TOKENS,
    Nf4Matrix,
    PagedRows,
    RowAdapters,
    ServedAdapter,
    attend_few,
    attend_pages,
    dense_few,
)
from trainer.nf4_linear import quantise_linear

DTYPES = [torch.float32, torch.bfloat16]
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}

pytestmark = pytest.mark.skipif(nf4.kernels() is None, reason="the kernels were not built")


@pytest.fixture(params=nf4.paths(), autouse=True)
def path(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every instruction set that runs here."""
    with nf4.path(request.param):
        yield


def random(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def matrix(out_features: int, in_features: int) -> Nf4Matrix:
    stored = quantise_linear(random(out_features, in_features, seed=1) * 0.05)
    parts = {name.removeprefix("weight."): part for name, part in stored.items()}
    return Nf4Matrix(parts, out_features=out_features, in_features=in_features)


def assert_close(found: torch.Tensor, wanted: torch.Tensor, dtype: torch.dtype) -> None:
    assert found.isfinite().all()
    assert float((found.double() - wanted).abs().max()) <= CLOSE[dtype] * float(wanted.abs().max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 16, 37, nf4.MOST_RANK])
def test_an_adapter_is_added_to_the_product(dtype: torch.dtype, rank: int) -> None:
    one = matrix(130, 192)
    a, b = random(rank, 192, seed=2) * 0.1, random(130, rank, seed=3) * 0.1
    adapter = ServedAdapter(a, b, 4.0, dtype)
    x = random(MOST_ROWS, 192, seed=4, dtype=dtype)
    weights = one.dequantise(dtype).double()
    wanted = x.double() @ weights.T + 4.0 * (x.double() @ a.to(dtype).double().T) @ b.double().T
    found = one.matmul(x, adapter=adapter)
    assert_close(found, wanted, dtype)
    for rows in (1, 3, 8):
        assert torch.equal(one.matmul(x[:rows], adapter=adapter), found[:rows])
    assert not torch.equal(found, one.matmul(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_row_has_its_adapter_as_if_it_were_alone(dtype: torch.dtype) -> None:
    one = matrix(130, 192)
    some = [
        ServedAdapter(random(rank, 192, seed=2), random(130, rank, seed=3), 0.5, dtype)
        for rank in (1, 16, 37, nf4.MOST_RANK)
    ]
    x = random(MOST_ROWS, 192, seed=4, dtype=dtype)
    for places in (
        [0] * 4 + [None] * 3 + [1, 2, 2, 0, None, 3, 3, 1, 0],
        [None] * MOST_ROWS,
        [3, 0, 3, 0, 2],
    ):
        adapters = [None if place is None else some[place] for place in places]
        found = one.matmul(x[: len(places)], adapter=RowAdapters(adapters))
        for row, adapter in enumerate(adapters):
            alone = one.matmul(x[row : row + 1], adapter=adapter)
            assert torch.equal(found[row : row + 1], alone)


def test_adapters_of_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="adapters"):
        matrix(64, 64).matmul(random(2, 64, seed=1), adapter=RowAdapters([None]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_head_in_full(dtype: torch.dtype) -> None:
    weight, x = random(517, 96, seed=1, dtype=dtype), random(MOST_ROWS, 96, seed=2, dtype=dtype)
    found = dense_few(x, weight)
    assert found is not None
    assert found.dtype == torch.float32
    assert_close(found, x.double() @ weight.double().T, torch.float32)
    for row in range(MOST_ROWS):
        alone = dense_few(x[row : row + 1], weight)
        assert alone is not None
        assert torch.equal(alone, found[row : row + 1])


def test_a_head_that_has_no_kernel_says_so() -> None:
    assert dense_few(random(MOST_ROWS + 1, 96, seed=1), random(5, 96, seed=2)) is None
    assert dense_few(random(1, 80, seed=1), random(5, 80, seed=2)) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 5, 128, 129, 700])
@pytest.mark.parametrize(("key_heads", "group", "size"), [(2, 1, 64), (1, 4, 128), (3, 2, 32)])
def test_attention_of_one_new_token(
    dtype: torch.dtype, length: int, key_heads: int, group: int, size: int
) -> None:
    rows, room, scale = 3, length + 11, size**-0.5
    q = random(rows, key_heads, group, size, seed=1, dtype=dtype) * 3
    keys = random(rows, key_heads, room, size, seed=2, dtype=dtype)[:, :, :length]
    values = random(rows, key_heads, room, size, seed=3, dtype=dtype)[:, :, :length]
    first = torch.tensor([0, length // 2, length - 1])
    found = attend_few(q, keys, values, first, scale)
    assert found is not None
    scores = q.double() @ keys.double().transpose(2, 3) * scale
    hidden = torch.arange(length) < first[:, None, None, None]
    wanted = scores.masked_fill(hidden, -math.inf).softmax(-1) @ values.double()
    assert_close(found, wanted, dtype)
    for row in range(rows):
        part = slice(row, row + 1)
        alone = attend_few(q[part], keys[part], values[part], first[part], scale)
        assert alone is not None
        assert torch.equal(alone, found[part])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [None, 1, 100, 128, 1000])
@pytest.mark.parametrize(("key_heads", "group", "size"), [(2, 1, 64), (1, 4, 128), (3, 2, 32)])
def test_attention_over_pages_is_that_over_one_piece(
    dtype: torch.dtype, window: int | None, key_heads: int, group: int, size: int
) -> None:
    """Each row has pages and a length of its own; the new token is put where it belongs."""
    lengths, scale = [1, 40, PAGE_TOKENS, PAGE_TOKENS + 1, 300], size**-0.5
    qkv = random(len(lengths), (group + 2) * key_heads * size, seed=1, dtype=dtype)
    by_head = qkv.view(len(lengths), -1, size)
    q = by_head[:, : key_heads * group].view(-1, key_heads, group, size)
    new_keys, new_values = by_head[:, key_heads * group :].split(key_heads, dim=1)
    pages = [
        list(random(-(-length // PAGE_TOKENS), 2, 2, key_heads, PAGE_TOKENS, size, seed=9 + length)
             .to(dtype))
        for length in lengths
    ]  # fmt: skip
    found = attend_pages(
        qkv, PagedRows(pages, lengths), block=1, key_heads=key_heads, group=group, size=size,
        window=window, scale=scale,
    )  # fmt: skip
    assert found is not None
    for row, (length, of_row) in enumerate(zip(lengths, pages, strict=True)):
        keys, values = torch.cat([page[1] for page in of_row], dim=2)[:, :, :length]
        assert torch.equal(keys[:, -1], new_keys[row])
        assert torch.equal(values[:, -1], new_values[row])
        first = torch.tensor([0 if window is None else max(0, length - window)])
        alone = attend_few(
            q[row : row + 1], keys[None].contiguous(), values[None].contiguous(), first, scale
        )
        assert alone is not None
        assert torch.equal(found[row], alone.reshape(-1))


def test_attention_bears_scores_far_apart() -> None:
    q = torch.full((1, 1, 1, 32), 30.0)
    keys = random(1, 1, 300, 32, seed=5) * 10
    values = random(1, 1, 300, 32, seed=6)
    found = attend_few(q, keys, values, torch.zeros(1, dtype=torch.int64), 1.0)
    wanted = (q.double() @ keys.double().transpose(2, 3)).softmax(-1) @ values.double()
    assert found is not None
    assert_close(found, wanted, torch.float32)


def test_attention_that_has_no_kernel_says_so() -> None:
    q, keys = random(1, 1, 1, 48, seed=1), random(1, 1, 5, 48, seed=2)
    assert attend_few(q, keys, keys, torch.zeros(1, dtype=torch.int64), 1.0) is None
