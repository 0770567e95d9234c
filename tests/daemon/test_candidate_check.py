"""What the engine hands over is looked at before it counts: real adapters and hostile headers."""

import json
import struct
import sys
from collections.abc import Callable
from subprocess import run
from typing import Any

import pytest
import torch

from daemon.candidate_check import Expected, check_candidate
from daemon.errors import CandidateBroken
from storage.records import sha256_hex
from trainer.adapter_file import pack_adapter
from trainer.adapter_format import LoraShape

BASE = "base-1"
NAME = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
A, B = NAME.format("A"), NAME.format("B")
TENSORS = {A: torch.randn(4, 64), B: torch.randn(32, 4)}
SETTINGS = LoraShape(rank=4)
GOOD = pack_adapter(TENSORS, base=BASE, shape=SETTINGS)
Header = dict[str, Any]


def check(data: bytes, *, rank: int | None = 4, sha256: str | None = None) -> None:
    check_candidate(data, Expected(base=BASE, sha256=sha256 or sha256_hex(data), rank=rank))


def packed(tensors: dict[str, torch.Tensor], shape: LoraShape = SETTINGS) -> bytes:
    return pack_adapter(tensors, base=BASE, shape=shape)


def with_header(change: Callable[[Header], object]) -> bytes:
    (length,) = struct.unpack("<Q", GOOD[:8])
    header = json.loads(GOOD[8 : 8 + length])
    change(header)
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + GOOD[8 + length :]


def test_a_real_adapter_is_let_in() -> None:
    check(GOOD)
    check(GOOD, rank=None)
    check(with_header(lambda header: None))


def test_an_adapter_of_many_blocks_is_let_in() -> None:
    check(packed({A: torch.randn(4, 300_000), B: torch.randn(32, 4)}))


def test_one_broken_value_at_the_end_of_a_large_adapter_is_found() -> None:
    tensors = {A: torch.randn(4, 300_000), B: torch.randn(32, 4)}
    tensors[B][-1, -1] = float("nan")
    with pytest.raises(CandidateBroken, match="not a finite number"):
        check(packed(tensors))


@pytest.mark.parametrize("wrong", [[float("inf")], [float("-inf"), float("inf")], [float("nan")]])
def test_values_that_are_no_numbers_are_refused(wrong: list[float]) -> None:
    tensors = {name: tensor.clone() for name, tensor in TENSORS.items()}
    tensors[A][0, : len(wrong)] = torch.tensor(wrong)
    with pytest.raises(CandidateBroken, match="not a finite number"):
        check(packed(tensors))


def test_the_largest_numbers_are_numbers() -> None:
    check(packed({A: torch.full((4, 300_000), 3.4e38), B: torch.full((32, 4), -3.4e38)}))


def test_other_bytes_than_were_announced_are_refused() -> None:
    with pytest.raises(CandidateBroken, match="its digest differs"):
        check(GOOD, sha256=sha256_hex(b"other"))


def test_an_adapter_of_another_base_is_refused() -> None:
    with pytest.raises(CandidateBroken, match="another base"):
        check(pack_adapter(TENSORS, base="base-2", shape=SETTINGS))


@pytest.mark.parametrize(
    "data",
    [
        packed(TENSORS, LoraShape(rank=8)),  # its settings say another rank than its matrices
        packed({A: TENSORS[A], B: torch.randn(32, 5)}),
        packed({A: TENSORS[A]}),
        packed({B: TENSORS[B]}),
        packed({}),
        packed({A: TENSORS[A].double(), B: TENSORS[B]}),
        packed({A: TENSORS[A], B: TENSORS[B], "base_model.model.lm_head.weight": torch.randn(4)}),
        packed({A: TENSORS[A], B: torch.randn(4)}),
    ],
)
def test_tensors_that_are_no_adapter_are_refused(data: bytes) -> None:
    with pytest.raises(CandidateBroken):
        check(data, rank=None)


def test_another_rank_than_asked_for_is_refused() -> None:
    with pytest.raises(CandidateBroken, match="another rank"):
        check(GOOD, rank=16)


@pytest.mark.parametrize("length", [0, 7, 8, 100, len(GOOD) - 4, len(GOOD) - 1])
def test_cut_off_files_are_refused(length: int) -> None:
    with pytest.raises(CandidateBroken):
        check(GOOD[:length])


def test_bytes_after_the_last_tensor_are_refused() -> None:
    with pytest.raises(CandidateBroken, match="do not fill the file"):
        check(GOOD + bytes(4))


def rewritten(name: str, **changes: Any) -> Callable[[Header], object]:
    return lambda header: header[name].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        rewritten(A, data_offsets=[512, 1536]),  # over the other
        rewritten(A, data_offsets=[0, 10**18]),
        rewritten(A, data_offsets=[-1024, 0]),
        rewritten(A, data_offsets=[0.0, 1024.0]),
        rewritten(A, data_offsets=[True, 1025]),
        rewritten(A, data_offsets=None),
        rewritten(A, shape=[4, 64, 1]),
        rewritten(A, shape=[4, 10**30]),
        rewritten(A, shape="ab"),
        rewritten(A, dtype="F64"),
        rewritten(A, dtype={"F32": 1}),
        lambda header: header.update({A: []}),
        lambda header: header.update({A.replace("model.", "../"): header.pop(A)}),
        lambda header: header.update({A + "\n": header.pop(A)}),
        lambda header: header["__metadata__"].clear(),
    ],
)
def test_hostile_headers_are_refused(change: Callable[[Header], object]) -> None:
    with pytest.raises(CandidateBroken):
        check(with_header(change))


def test_tensors_over_each_other_are_refused_where_their_ends_fill_the_file() -> None:
    """The first begins and the last ends where they must; what lies between is claimed twice."""
    more = {A.replace("q_proj", name): TENSORS[A].clone() for name in ("k_proj", "v_proj")}
    more |= {B.replace("q_proj", name): TENSORS[B].clone() for name in ("k_proj", "v_proj")}
    data = packed(TENSORS | more)
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    check(data)
    places = sorted(
        one["data_offsets"] for name, one in header.items() if name.endswith("A.weight")
    )
    middle = next(one for one in header.values() if one.get("data_offsets") == places[1])
    middle["data_offsets"] = places[0]
    encoded = json.dumps(header).encode()
    with pytest.raises(CandidateBroken, match="overlap or leave gaps"):
        check(struct.pack("<Q", len(encoded)) + encoded + data[8 + length :])


@pytest.mark.parametrize("header", [b"[" * 200_000, b"\xff\xfe", b"null", b"1" * 5000, b"{}"])
def test_headers_that_are_none_are_refused(header: bytes) -> None:
    with pytest.raises(CandidateBroken):
        check(struct.pack("<Q", len(header)) + header)


def test_a_refusal_quotes_nothing_of_what_came() -> None:
    with pytest.raises(CandidateBroken) as refused:
        check(with_header(lambda header: header.update({"heather honey": header.pop(A)})))
    assert "heather" not in str(refused.value)
    assert "was thrown away" in str(refused.value)


def test_looking_at_a_candidate_needs_no_torch() -> None:
    code = "import sys, daemon.candidate_check; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
