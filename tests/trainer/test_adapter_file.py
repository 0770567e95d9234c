"""An adapter's bytes: whole, of this base, finite, or refused."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.records import sha256_hex
from trainer.adapter_file import pack_adapter, unpack_adapter
from trainer.adapter_format import LoraShape
from trainer.errors import AdapterDamaged, AdapterError, AdapterMismatch

BASE = "base-1"
SHAPE = LoraShape(rank=2, alpha=4.0, rslora=False, dropout=0.1)
TENSORS = {
    "base_model.model.a.lora_A.weight": torch.arange(8.0).view(2, 4),
    "base_model.model.a.lora_B.weight": torch.arange(6.0).view(3, 2),
}
PACKED = pack_adapter(TENSORS, base=BASE, shape=SHAPE)
DIGEST = sha256_hex(PACKED)


def with_header(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The same values behind another header."""
    (length,) = struct.unpack("<Q", PACKED[:8])
    header = json.loads(PACKED[8 : 8 + length])
    change(header)
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + PACKED[8 + length :]


def test_what_was_packed_comes_out_again() -> None:
    tensors, shape = unpack_adapter(PACKED, base=BASE, sha256=DIGEST)
    assert shape == SHAPE
    assert set(tensors) == set(TENSORS)
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_equal_adapters_have_equal_bytes_in_whatever_order_they_are_made() -> None:
    backwards = dict(reversed(TENSORS.items()))
    assert pack_adapter(backwards, base=BASE, shape=SHAPE) == PACKED


@settings(deadline=None)
@given(st.integers(0, len(PACKED) * 8 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    broken = bytearray(PACKED)
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AdapterDamaged):
        unpack_adapter(bytes(broken), base=BASE, sha256=DIGEST)


@settings(deadline=None)
@given(st.integers(0, len(PACKED) - 1))
def test_a_cut_off_file_is_refused_also_without_a_digest(length: int) -> None:
    with pytest.raises(AdapterDamaged):
        unpack_adapter(PACKED[:length], base=BASE)


@settings(deadline=None)
@given(st.integers(0, len(PACKED) * 8 - 1))
def test_a_flipped_bit_without_a_digest_ends_in_an_adapter_or_in_a_sentence(bit: int) -> None:
    broken = bytearray(PACKED)
    broken[bit // 8] ^= 1 << bit % 8
    try:
        tensors, _ = unpack_adapter(bytes(broken), base=BASE)
    except AdapterError:  # anything else would end the engine's work
        return
    assert sum(tensor.numel() for tensor in tensors.values()) == 8 + 6
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_an_adapter_of_another_base_is_refused() -> None:
    with pytest.raises(AdapterMismatch, match="another base"):
        unpack_adapter(PACKED, base="base-2")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_one_value_that_is_no_number_is_enough(wrong: float) -> None:
    tensors = {name: tensor.clone() for name, tensor in TENSORS.items()}
    tensors["base_model.model.a.lora_B.weight"][1, 1] = wrong
    with pytest.raises(AdapterDamaged, match="not a finite number"):
        unpack_adapter(pack_adapter(tensors, base=BASE, shape=SHAPE), base=BASE)


def test_tensors_of_another_kind_are_refused() -> None:
    halves = {name: tensor.half() for name, tensor in TENSORS.items()}
    with pytest.raises(AdapterDamaged, match="another kind"):
        unpack_adapter(pack_adapter(halves, base=BASE, shape=SHAPE), base=BASE)


def with_facts(**changes: Any) -> bytes:
    """The same values behind other words about base and settings."""

    def change(header: dict[str, Any]) -> None:
        facts = json.loads(header["__metadata__"]["nightloom"])
        header["__metadata__"]["nightloom"] = json.dumps(facts | changes)

    return with_header(change)


def test_the_words_can_be_changed_for_these_tests() -> None:
    tensors, shape = unpack_adapter(with_facts(lora={"rank": 3}), base=BASE)
    assert (len(tensors), shape.rank) == (2, 3)


@pytest.mark.parametrize(
    "lora",
    [
        {"rank": "16"}, {"rank": 0}, {"rank": 1_000_000_000}, {"rank": True}, {"alpha": -1},
        {"alpha": float("nan")}, {"rslora": 1}, {"dropout": 1.0}, {"evil": 1}, [], "rank", None,
    ],
)  # fmt: skip
def test_hostile_lora_settings_are_refused(lora: object) -> None:
    with pytest.raises(AdapterDamaged, match="LoRA settings"):
        unpack_adapter(with_facts(lora=lora), base=BASE)


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(AdapterDamaged, match="format"):
        unpack_adapter(with_facts(format="nightloom-adapter/2"), base=BASE)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("__metadata__"),
        lambda header: header.update(__metadata__=[]),
        lambda header: header.update(__metadata__={"nightloom": ["a"]}),
        lambda header: header.update(__metadata__={"nightloom": "[]"}),
        lambda header: header.update(__metadata__={"nightloom": "[" * 100_000}),
        lambda header: header.update(a=1),
    ],
)
def test_hostile_headers_are_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(AdapterDamaged):
        unpack_adapter(with_header(change), base=BASE)


def test_a_header_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    with pytest.raises(AdapterDamaged):
        unpack_adapter(struct.pack("<Q", 2**63) + PACKED[8:], base=BASE)


def test_a_deeply_nested_header_is_refused() -> None:
    nested = b"[" * 200_000
    with pytest.raises(AdapterDamaged):
        unpack_adapter(struct.pack("<Q", len(nested)) + nested, base=BASE)
