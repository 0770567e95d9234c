"""The state of a run as bytes: whole, of this run, or refused."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.checkpoint import Checkpoint, Cursor, pack_checkpoint, unpack_checkpoint
from trainer.errors import CheckpointDamaged

PARAMETERS = {"one": torch.randn(2, 3), "two": torch.randn(4)}
GRADIENTS = {name: torch.randn_like(tensor) for name, tensor in PARAMETERS.items()}
CURSOR = Cursor(step=3, micro_batch=1, nats=0.1 + 0.2)
RANDOM = torch.get_rng_state()


def moments(index: int) -> dict[str, Any]:
    like = list(PARAMETERS.values())[index]
    return {
        "step": torch.tensor(3.0), "exp_avg": torch.randn_like(like), "rounds": 3,
        "scale": 0.1 + 0.7,
    }  # fmt: skip


OPTIMIZER = {0: moments(0), 1: moments(1)}
PACKED = pack_checkpoint(
    parameters=PARAMETERS, gradients=GRADIENTS, optimizer=OPTIMIZER, random=RANDOM, cursor=CURSOR
)


def opened(data: bytes) -> Checkpoint:
    return unpack_checkpoint(data, like=PARAMETERS)


def with_words(**changes: str) -> bytes:
    """The same tensors behind other words in the header."""
    (length,) = struct.unpack("<Q", PACKED[:8])
    header = json.loads(PACKED[8 : 8 + length])
    header["__metadata__"] |= changes
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + PACKED[8 + length :]


def packed(**changes: Any) -> bytes:
    parts: dict[str, Any] = {
        "parameters": PARAMETERS, "gradients": GRADIENTS, "optimizer": OPTIMIZER,
        "random": RANDOM, "cursor": CURSOR,
    }  # fmt: skip
    return pack_checkpoint(**parts | changes)


def test_everything_comes_out_again_to_the_last_bit() -> None:
    found = opened(PACKED)
    assert found.cursor == CURSOR
    assert torch.equal(found.random, RANDOM)
    for name in PARAMETERS:
        assert torch.equal(found.parameters[name], PARAMETERS[name])
        assert torch.equal(found.gradients[name], GRADIENTS[name])
    for index, entries in OPTIMIZER.items():
        assert set(found.optimizer[index]) == set(entries)
        for key, value in entries.items():
            kept = found.optimizer[index][key]
            assert torch.equal(kept, value) if isinstance(value, torch.Tensor) else kept == value


def test_before_the_first_step_the_optimizer_has_no_state() -> None:
    assert opened(packed(optimizer={})).optimizer == {}


@settings(deadline=None)
@given(st.integers(0, len(PACKED) - 1))
def test_a_checkpoint_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(CheckpointDamaged, match="starts again"):
        opened(PACKED[:length])


@settings(deadline=None)
@given(st.integers(0, len(PACKED) * 8 - 1))
def test_a_flipped_bit_ends_in_a_checkpoint_or_in_a_sentence(bit: int) -> None:
    broken = bytearray(PACKED)
    broken[bit // 8] ^= 1 << bit % 8
    try:
        found = opened(bytes(broken))
    except CheckpointDamaged:
        return
    assert {name: one.shape for name, one in found.parameters.items()} == {
        name: one.shape for name, one in PARAMETERS.items()
    }


@pytest.mark.parametrize(
    "data",
    [
        packed(parameters={"one": torch.zeros(2, 3)}),
        packed(parameters=PARAMETERS | {"two": torch.zeros(5)}),
        packed(parameters=PARAMETERS | {"two": torch.zeros(4, dtype=torch.float64)}),
        packed(gradients=GRADIENTS | {"one": torch.zeros(1, 3)}),  # would be spread over both rows
        packed(optimizer={0: moments(0)}),
        packed(optimizer={0: moments(0), 2: moments(1)}),
        packed(optimizer={0: moments(1), 1: moments(0)}),
        packed(random=RANDOM[:-1]),
        packed(random=RANDOM.float()),
    ],
)
def test_the_state_of_another_run_is_refused(data: bytes) -> None:
    with pytest.raises(CheckpointDamaged):
        opened(data)


@pytest.mark.parametrize(
    "words",
    [
        {"format": "nightloom-checkpoint/2"},
        {"cursor": '{"step": -1, "micro_batch": 0, "nats": 0.0}'},
        {"cursor": '{"step": 1.5, "micro_batch": 0, "nats": 0.0}'},
        {"cursor": '{"step": 1, "micro_batch": true, "nats": 0.0}'},
        {"cursor": '{"step": 1, "micro_batch": 0, "nats": "0"}'},
        {"cursor": "{}"},
        {"cursor": "[" * 100_000},
        {"numbers": "[]"},
        {"numbers": '{"zero": {}}'},
        {"numbers": '{"0": 1}'},
    ],
)
def test_hostile_words_in_the_header_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(CheckpointDamaged):
        opened(with_words(**words))


@pytest.mark.parametrize(
    "change", [lambda data: b"", lambda data: data[8:], lambda data: b"\xff" * 64]
)
def test_bytes_that_are_no_checkpoint_are_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CheckpointDamaged):
        opened(change(PACKED))
