"""One NF4 matrix on the CPU: to numbers, and times a few rows straight from its codes.

The kernels are in nf4.c, built with the package and called through ctypes. Where they were not
built bitsandbytes does the work: the same numbers, slower.
"""

import ctypes
import importlib.machinery
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from trainer.stock_kernels import QuantState, dequantize_4bit

log = logging.getLogger("nightloom.kernels")

ABI = 4  # of nf4.c; a library of another is not used
MOST_ROWS = 16  # that go straight through the codes; more are worth a dequantised copy
MOST_RANK = 128  # of an adapter that goes with them
LANES = 16  # ranks are padded to a multiple of it
PAGE_TOKENS = 128  # of a row's keys and values in one piece; `KEYS` of nf4.c
DTYPES = {torch.bfloat16: 0, torch.float32: 1}
ONE_THREAD_WEIGHTS = 1 << 18  # below it a second thread costs more than it brings


class _Weights(ctypes.Structure):
    """`nf4_weights` of nf4.c."""

    _fields_ = (
        ("codes", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("absmax", ctypes.c_void_p),
        ("absmax8", ctypes.c_void_p),
        ("nested_values", ctypes.c_void_p),
        ("nested_absmax", ctypes.c_void_p),
        ("nested_offset", ctypes.c_float),
    )


class _Adapter(ctypes.Structure):
    """`nf4_adapter` of nf4.c."""

    _fields_ = (
        ("a", ctypes.c_void_p),
        ("b", ctypes.c_void_p),
        ("rank", ctypes.c_int),
        ("padded", ctypes.c_int),
    )


class _Paged(ctypes.Structure):
    """`nf4_paged` of nf4.c."""

    _fields_ = (("pages", ctypes.c_void_p), ("length", ctypes.c_int64))


@cache
def kernels() -> ctypes.CDLL | None:
    """The library of nf4.c; None (said once in the log) where it was not built."""
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_nf4{suffix}")
        if path.is_file():
            try:
                library = ctypes.CDLL(str(path))
                if library.nf4_abi() == ABI:
                    return _declared(library)
            except (OSError, AttributeError):
                pass  # of another machine: as good as none
            break
    log.warning(
        "The fast 4-bit kernels were not built (no C compiler?); nights and answers are slower."
    )
    return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    weights, size, number, pointer = (
        ctypes.POINTER(_Weights), ctypes.c_int64, ctypes.c_int, ctypes.c_void_p,
    )  # fmt: skip
    library.nf4_path.argtypes = [number]
    library.nf4_use_path.argtypes = [ctypes.c_char_p]
    library.nf4_path.restype = library.nf4_current_path.restype = ctypes.c_char_p
    library.nf4_dequantise.argtypes = [weights, size, pointer, number, number]
    library.nf4_dequantise.restype = None
    library.nf4_matmul.argtypes = [
        weights, size, size, pointer, number, pointer, size, pointer, number, number,
    ]  # fmt: skip
    library.nf4_dense.argtypes = [pointer, size, size, pointer, number, pointer, number, number]
    library.nf4_attend.argtypes = [
        pointer, pointer, pointer, pointer, number, number, number, number, size, size, pointer,
        ctypes.c_float, number, number,
    ]  # fmt: skip
    library.nf4_attend_pages.argtypes = [
        ctypes.POINTER(_Paged), number, pointer, pointer, size, number, number, number, size,
        ctypes.c_float, number, number,
    ]  # fmt: skip
    return library


def paths() -> list[str]:
    """Instruction sets for which there is a kernel that runs here, the best first."""
    library, found = kernels(), []
    if library is not None:
        number = 0
        while (name := library.nf4_path(number)) is not None:
            found += [name.decode()] if name else []
            number += 1
    return found


@contextmanager
def path(name: str) -> Iterator[None]:
    """Inside, kernels for this instruction set are used, for tests and benchmarks.

    Raises:
        ValueError: there are none, or they do not run here.
    """
    library = kernels()
    before = library.nf4_current_path() if library is not None else b""
    if library is None or not library.nf4_use_path(name.encode()):
        raise ValueError(f"no kernels for {name}")
    try:
        yield
    finally:
        library.nf4_use_path(before)


class ServedAdapter:
    """LoRA factors of one layer as the kernels read them; they do not change any more.

    Args:
        a: (rank, in_features), at most `MOST_RANK` of them.
        b: (out_features, rank)
        scale: what b is multiplied with.
        dtype: of the products that it stands beside.
    """

    def __init__(self, a: torch.Tensor, b: torch.Tensor, scale: float, dtype: torch.dtype) -> None:
        rank = len(a)
        self.a = a.detach().to(dtype).contiguous()
        self.b = torch.zeros((len(b), -(-rank // LANES) * LANES))  # (out_features, padded) fp32
        self.b[:, :rank] = b.detach() * scale
        self._pointers = _Adapter(self.a.data_ptr(), self.b.data_ptr(), rank, self.b.shape[1])
        self.address = ctypes.addressof(self._pointers)
        self._all_rows = (ctypes.c_void_p * MOST_ROWS)(*[self.address] * MOST_ROWS)
        self.of_rows = ctypes.addressof(self._all_rows)

    def of_row(self, row: int) -> "ServedAdapter":
        """Itself, for every row."""
        return self


class RowAdapters:
    """Which adapter each row of a product has, if any; best, equal ones side by side."""

    def __init__(self, adapters: Sequence[ServedAdapter | None]) -> None:
        self._adapters = tuple(adapters)
        addresses = [None if one is None else one.address for one in adapters]
        self._rows = (ctypes.c_void_p * len(adapters))(*addresses)
        self.of_rows = ctypes.addressof(self._rows)

    def __len__(self) -> int:
        return len(self._adapters)

    def of_row(self, row: int) -> ServedAdapter | None:
        return self._adapters[row]


class Nf4Matrix:
    """A matrix of (out_features, in_features) in the CPU's memory, in 4-bit codes.

    Args:
        parts: the stored tensors without their common prefix (`trainer/README.md`), or, with
            `absmax` in fp32 and no `nested_` parts, a matrix without double quantization. They
            are not copied and were checked before.
        nested_offset: what is added to each constant of the second quantization.
    """

    def __init__(
        self,
        parts: Mapping[str, torch.Tensor],
        *,
        out_features: int,
        in_features: int,
        nested_offset: float = 0.0,
    ) -> None:
        self.out_features, self.in_features = out_features, in_features
        self.nested_offset = nested_offset
        self._parts = dict(parts)  # keeps alive what the pointers point at
        self._weights = self._pointers()
        self._few_threads = out_features * in_features < ONE_THREAD_WEIGHTS

    @property
    def codes(self) -> torch.Tensor:
        """Two codes a byte, as stored: (out_features * in_features / 2, 1) uint8."""
        return self._parts["weight"]

    def dequantise(self, dtype: torch.dtype, out: torch.Tensor | None = None) -> torch.Tensor:
        """All weights: (out_features, in_features), bit by bit what bitsandbytes makes of them.

        Args:
            dtype: bf16 or fp32.
            out: contiguous, of at least as many elements of that dtype; the result lies in it.
        """
        count = self.out_features * self.in_features
        shape = (self.out_features, self.in_features)
        matrix = torch.empty(shape, dtype=dtype) if out is None else out[:count].view(shape)
        assert matrix.dtype == dtype
        library = kernels()
        if library is None:
            matrix.copy_(self._dequantised_by_bitsandbytes(dtype))
        else:
            library.nf4_dequantise(
                self._weights, count, matrix.data_ptr(), DTYPES[dtype], self._threads()
            )
        return matrix

    def matmul(
        self,
        x: torch.Tensor,
        out: torch.Tensor | None = None,
        adapter: ServedAdapter | RowAdapters | None = None,
    ) -> torch.Tensor:
        """x W^T straight from the codes, without a copy of the weights.

        Args:
            x: (rows, in_features), bf16 or fp32, 1 to `MOST_ROWS` rows; in_features is a
                multiple of 64.
            out: (rows, out_features) of x's dtype, each row contiguous; the result lies in it.
            adapter: of all rows or of each, of x's dtype; what it makes of a row is added before
                the result is rounded.

        Returns:
            (rows, out_features) of x's dtype; no row depends on which other rows are there or on
            their adapters.

        Raises:
            ValueError: x is of another shape.
        """
        if not 0 < len(x) <= MOST_ROWS or x.shape[1:] != (self.in_features,):
            raise ValueError(f"x is not (1 to {MOST_ROWS}, {self.in_features})")
        if self.in_features % 64 != 0:
            raise ValueError("rows of weights are no multiple of 64")
        if isinstance(adapter, RowAdapters) and len(adapter) != len(x):
            raise ValueError("adapters are not those of x's rows")
        library = kernels()
        y = x.new_empty((x.shape[0], self.out_features)) if out is None else out
        if library is None:
            return y.copy_(self._matmul_by_torch(x, adapter))
        x = x.contiguous()
        done = library.nf4_matmul(
            self._weights, self.out_features, self.in_features, x.data_ptr(), x.shape[0],
            y.data_ptr(), y.stride(0), None if adapter is None else adapter.of_rows,
            DTYPES[x.dtype], self._threads(),
        )  # fmt: skip
        if not done:
            raise MemoryError
        return y

    def _threads(self) -> int:
        return 1 if self._few_threads else torch.get_num_threads()

    def _pointers(self) -> _Weights:
        parts, weights = self._parts, _Weights()
        weights.codes = parts["weight"].data_ptr()
        weights.values = parts["quant_map"].data_ptr()
        if "nested_absmax" in parts:
            weights.absmax8 = parts["absmax"].data_ptr()
            weights.nested_values = parts["nested_quant_map"].data_ptr()
            weights.nested_absmax = parts["nested_absmax"].data_ptr()
            weights.nested_offset = self.nested_offset
        else:
            weights.absmax = parts["absmax"].data_ptr()
        return weights

    def _matmul_by_torch(
        self, x: torch.Tensor, adapter: ServedAdapter | RowAdapters | None
    ) -> torch.Tensor:
        """Row by row, because a product of matrices may round a row by how many there are."""
        matrix = self.dequantise(x.dtype)
        found = torch.stack([matrix @ row for row in x])
        for number, row in enumerate(x):
            one = None if adapter is None else adapter.of_row(number)
            if one is not None:
                found[number] += one.b[:, : len(one.a)].to(x.dtype) @ (one.a @ row)
        return found

    def _dequantised_by_bitsandbytes(self, dtype: torch.dtype) -> torch.Tensor:
        state = self._state(dtype)
        matrix: torch.Tensor = dequantize_4bit(self._parts["weight"], state)
        return matrix.view(self.out_features, self.in_features)

    def _state(self, dtype: torch.dtype) -> QuantState:
        parts = self._parts
        # bitsandbytes on the CPU is wrong where blocks do not end with rows: one row, then
        flat = (1, self.out_features * self.in_features)
        nested = (
            QuantState(
                absmax=parts["nested_absmax"], code=parts["nested_quant_map"], blocksize=256,
                dtype=torch.float32,
            )
            if "nested_absmax" in parts
            else None
        )  # fmt: skip
        return QuantState(
            absmax=parts["absmax"], shape=torch.Size(flat), code=parts["quant_map"], blocksize=64,
            quant_type="nf4", dtype=dtype, state2=nested,
            offset=torch.tensor(self.nested_offset) if nested is not None else None,
        )  # fmt: skip


def dense_few(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor | None:
    """x W^T with a W that is not quantised; None where there is no kernel for it.

    Args:
        x: (rows, in_features), at most `MOST_ROWS` of them.
        weight: (out_features, in_features) of x's dtype, contiguous.

    Returns:
        (rows, out_features) fp32; no row depends on which other rows are there.
    """
    library = kernels()
    if library is None or len(x) > MOST_ROWS:
        return None
    x, y = x.contiguous(), x.new_empty((len(x), len(weight)), dtype=torch.float32)
    threads = 1 if weight.numel() < ONE_THREAD_WEIGHTS else torch.get_num_threads()
    done = library.nf4_dense(
        weight.data_ptr(), len(weight), weight.shape[1], x.data_ptr(), len(x), y.data_ptr(),
        DTYPES[x.dtype], threads,
    )  # fmt: skip
    return y if done else None


def attend_few(
    q: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    first: torch.Tensor,
    scale: float,
) -> torch.Tensor | None:
    """softmax(q k^T scale) v for one new token per row; None where there is no kernel for it.

    Args:
        q: (rows, key heads, group, size)
        keys, values: (rows, key heads, length, size), views into equal rooms.
        first: (rows,) int64; the first key that each row sees.

    Returns:
        Like q; no row depends on which other rows are there.
    """
    library = kernels()
    if library is None:
        return None
    rows, key_heads, group, size = q.shape
    q, out = q.contiguous(), torch.empty_like(q, memory_format=torch.contiguous_format)
    work = rows * key_heads * keys.shape[2] * size
    done = library.nf4_attend(
        q.data_ptr(), keys.data_ptr(), values.data_ptr(), out.data_ptr(), rows, key_heads, group,
        size, keys.shape[2], keys.stride(1) // size, first.data_ptr(), scale, DTYPES[q.dtype],
        1 if work < ONE_THREAD_WEIGHTS else torch.get_num_threads(),
    )  # fmt: skip
    return out if done else None


class PagedRows:
    """Rows that get one new token each: where the pages of each lie and how long it then is."""

    def __init__(self, pages: Sequence[Sequence[torch.Tensor]], lengths: Sequence[int]) -> None:
        self._pages = [
            (ctypes.c_void_p * len(of_row))(*[page.data_ptr() for page in of_row])
            for of_row in pages
        ]
        self.rows = (_Paged * len(lengths))(
            *[
                _Paged(ctypes.addressof(of_row), length)
                for of_row, length in zip(self._pages, lengths, strict=True)
            ]
        )
        self.keys = sum(lengths)


def attend_pages(
    qkv: torch.Tensor,
    rows: PagedRows,
    *,
    block: int,
    key_heads: int,
    group: int,
    size: int,
    window: int | None,
    scale: float,
) -> torch.Tensor | None:
    """Put each row's new keys and values into its pages, and softmax(q k^T scale) v over them.

    Args:
        qkv: (rows, (key heads * group + 2 key heads) * size): queries, keys and values.
        rows: pages of (blocks, 2, key heads, `PAGE_TOKENS`, size) of qkv's dtype.
        window: how many keys a row sees, the new one included; None for all.

    Returns:
        (rows, key heads * group * size), no row depends on the others; None where there is no
        kernel for it.
    """
    library = kernels()
    if library is None:
        return None
    qkv = qkv.contiguous()
    out = qkv.new_empty((len(qkv), key_heads * group * size))
    work = rows.keys * key_heads * size
    done = library.nf4_attend_pages(
        rows.rows, len(qkv), qkv.data_ptr(), out.data_ptr(), block, key_heads, group, size,
        window or 0, scale, DTYPES[qkv.dtype],
        1 if work < ONE_THREAD_WEIGHTS else torch.get_num_threads(),
    )  # fmt: skip
    return out if done else None
