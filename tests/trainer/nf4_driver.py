"""Builds nf4.c with `nf4_driver.c` into a program of its own, and has it compute cases."""

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.trainer.nf4_matrices import Matrix, bits
from trainer.nf4 import DTYPES, ServedAdapter

HERE = Path(__file__).parent
KERNELS = HERE.parents[1] / "trainer"
HEADER = struct.Struct("<16siiiiif6q")  # `header` of nf4_driver.c
DEQUANTISE, MULTIPLY, HEAD, ATTEND, ATTEND_PAGES = range(5)
PARTS = ("quant_map", "weight", "absmax", "nested_quant_map", "nested_absmax")
FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-pthread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call of the library."""

    kind: int
    dtype: torch.dtype
    extents: tuple[int, ...]
    tensors: Sequence[torch.Tensor]
    shape: tuple[int, ...]  # of the result
    number: float = 0.0
    double_quantised: bool = False

    @property
    def result_dtype(self) -> torch.dtype:
        return torch.float32 if self.kind == HEAD else self.dtype

    def packed(self, path: str, threads: int, offset: int) -> bytes:
        header = HEADER.pack(
            path.encode(), self.kind, DTYPES[self.dtype], threads, self.double_quantised, offset,
            self.number, *self.extents, *[0] * (6 - len(self.extents)),
        )  # fmt: skip
        return header + b"".join(_bytes(tensor) for tensor in self.tensors)


def numbers(matrix: Matrix, dtype: torch.dtype) -> Case:
    """All weights: (out_features, in_features)."""
    return _of_matrix(DEQUANTISE, matrix, dtype)


def product(
    matrix: Matrix, x: torch.Tensor, adapter: ServedAdapter | None = None, *,
    second: ServedAdapter | None = None, mixed: bool = False,
) -> Case:  # fmt: skip
    """x W^T, and what the adapter adds: (rows, out_features).

    Args:
        mixed: every second row has not the adapter but `second`, which may be none.
    """
    return _of_matrix(MULTIPLY, matrix, x.dtype, x, adapter, second, mixed)


def head(weight: torch.Tensor, x: torch.Tensor) -> Case:
    """x W^T of weights as they are: (rows, out_features) fp32."""
    return Case(
        kind=HEAD, dtype=x.dtype, extents=(*weight.shape, len(x)), tensors=[weight, x],
        shape=(len(x), len(weight)),
    )  # fmt: skip


def attention(
    q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, length: int, first: torch.Tensor,
    scale: float,
) -> Case:  # fmt: skip
    """Like q, (rows, key heads, group, size); keys and values are whole rooms."""
    return Case(
        kind=ATTEND, dtype=q.dtype, extents=(*q.shape, length, keys.shape[2]), number=scale,
        tensors=[q, keys, values, first], shape=tuple(q.shape),
    )  # fmt: skip


def attention_over_pages(
    qkv: torch.Tensor, pages: Sequence[Sequence[torch.Tensor]], lengths: Sequence[int], *,
    key_heads: int, group: int, window: int, scale: float,
) -> Case:  # fmt: skip
    """Of the last block that the pages have: (rows, key heads * group * size)."""
    blocks, size = pages[0][0].shape[0], pages[0][0].shape[-1]
    return Case(
        kind=ATTEND_PAGES, dtype=qkv.dtype, number=scale,
        extents=(len(qkv), key_heads, group, size, blocks, window),
        tensors=[qkv, torch.tensor(lengths), *(page for of_row in pages for page in of_row)],
        shape=(len(qkv), key_heads * group * size),
    )  # fmt: skip


def _of_matrix(
    kind: int, one: Matrix, dtype: torch.dtype, x: torch.Tensor | None = None,
    adapter: ServedAdapter | None = None, second: ServedAdapter | None = None, mixed: bool = False,
) -> Case:  # fmt: skip
    tensors = [one.parts[name] for name in PARTS if name in one.parts]
    tensors += [] if x is None else [x]
    for served in (adapter, second):
        tensors += [] if served is None else [served.a, served.b]
    second_rank = (-1 if second is None else len(second.a)) if mixed else 0
    rows, rank = 0 if x is None else len(x), 0 if adapter is None else len(adapter.a)
    return Case(
        kind=kind, dtype=dtype, tensors=tensors, number=one.nested_offset,
        extents=(one.out_features, one.in_features, rows, rank, second_rank),
        double_quantised="nested_absmax" in one.parts,
        shape=(one.out_features, one.in_features) if x is None else (rows, one.out_features),
    )  # fmt: skip


def _bytes(tensor: torch.Tensor) -> bytes:
    plain = tensor.dtype in (torch.uint8, torch.int64)
    return (tensor.numpy() if plain else bits(tensor)).tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The built driver, and what runs it."""

    command: tuple[str, ...]

    def paths(self) -> list[str]:
        """Those that run there, the best first."""
        return self._run("paths", given=b"").decode().split()

    def compute(self, path: str, cases: Sequence[Case]) -> list[torch.Tensor]:
        """The results, computed by different numbers of threads and in places of all kinds."""
        given = [case.packed(path, 1 + place % 3, place % 5) for place, case in enumerate(cases)]
        found = bytearray(self._run(given=b"".join(given)))
        results, start = [], 0
        for case in cases:
            count = torch.Size(case.shape).numel()
            flat = torch.frombuffer(found, dtype=case.result_dtype, count=count, offset=start)
            results.append(flat.view(case.shape))
            start += count * case.result_dtype.itemsize
        assert start == len(found)
        return results

    def _run(self, *arguments: str, given: bytes) -> bytes:
        done = subprocess.run(
            [*self.command, *arguments], input=given, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
        assert done.stderr == b""
        return done.stdout


def links(compiler: str, out: Path, *flags: str) -> bool:
    """Whether the compiler has the headers and libraries for a program with these flags."""
    source = b'#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'
    command = [compiler, *flags, "-x", "c", "-", "-o", str(out)]
    return subprocess.run(command, input=source, capture_output=True, check=False).returncode == 0


def build(compiler: str, out: Path, *flags: str, runner: Sequence[str] = ()) -> Program:
    """Compile; warnings are errors."""
    where = ["-I", str(KERNELS), "-o", str(out), str(HERE / "nf4_driver.c")]
    subprocess.run([compiler, *FLAGS, *flags, *where], check=True)
    return Program(command=(*runner, str(out)))
