"""Sealed files: exact bytes, and no cut, flipped, swapped or lengthened stream opens."""

import hashlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import SealBroken
from storage.file_stream import (
    CHUNK_BYTES,
    seal_stream,
    seal_stream_with_prefix,
    unseal_stream,
)
from tests.storage.making import flipped

KEY = bytes(range(32))
BINDING = b"nightloom/1|adapters|00112233"
SEALED_CHUNK = CHUNK_BYTES + 16
HEADER = 16


def sealed(data: bytes, binding: bytes = BINDING) -> bytes:
    return b"".join(seal_stream(KEY, [data], binding))


def opened(data: bytes, binding: bytes = BINDING) -> bytes:
    return b"".join(unseal_stream(KEY, io.BytesIO(data), binding))


def test_a_short_stream_has_these_bytes() -> None:
    stream = b"".join(seal_stream_with_prefix(KEY, b"prefix!", [b"loom"], BINDING))
    assert (
        stream.hex() == "4e4c534601100000007072656669782128d6996e487e84729f7329e7492fc491f6691bab"
    )
    assert stream[:HEADER] == b"NLSF\x01\x10\0\0\0prefix!"


def test_an_empty_stream_has_these_bytes() -> None:
    stream = b"".join(seal_stream_with_prefix(KEY, b"prefix!", [], BINDING))
    assert stream.hex() == "4e4c5346011000000070726566697821bd763e75f6a0174a017aad4f4c147b08"


def test_a_stream_of_two_chunks_has_this_digest() -> None:
    stream = b"".join(seal_stream_with_prefix(KEY, b"prefix!", [bytes(CHUNK_BYTES + 1)], BINDING))
    assert len(stream) == HEADER + SEALED_CHUNK + 17
    assert (
        hashlib.sha256(stream).hexdigest()
        == "8840e946f8ebdb57a1980d2ae4e3e6874bf310f4f46e058e35065886ed7d212b"
    )


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
def test_what_was_sealed_opens_again(length: int) -> None:
    data = bytes(i * 7 % 251 for i in range(length))
    assert opened(sealed(data)) == data


@given(st.lists(st.binary(max_size=90_000), max_size=5))
def test_pieces_of_any_size_make_the_same_file(pieces: list[bytes]) -> None:
    stream = b"".join(seal_stream(KEY, pieces, BINDING))
    chunks = list(unseal_stream(KEY, io.BytesIO(stream), BINDING))
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(chunk) <= CHUNK_BYTES for chunk in chunks)


@given(st.integers(min_value=0))
def test_one_flipped_bit_in_a_stream_is_noticed(bit: int) -> None:
    with pytest.raises(SealBroken):
        opened(flipped(sealed(bytes(CHUNK_BYTES + 100)), bit))


@given(st.integers(min_value=0, max_value=HEADER + SEALED_CHUNK + 115))
def test_a_stream_that_was_cut_is_noticed(length: int) -> None:
    with pytest.raises(SealBroken):
        opened(sealed(bytes(CHUNK_BYTES + 100))[:length])


def test_a_stream_cut_between_chunks_is_noticed() -> None:
    with pytest.raises(SealBroken):
        opened(sealed(bytes(3 * CHUNK_BYTES))[: HEADER + 2 * SEALED_CHUNK])


def test_chunks_in_another_order_are_noticed() -> None:
    whole = sealed(bytes(3 * CHUNK_BYTES))
    first, second = (
        whole[HEADER : HEADER + SEALED_CHUNK],
        whole[HEADER + SEALED_CHUNK : HEADER + 2 * SEALED_CHUNK],
    )
    with pytest.raises(SealBroken):
        opened(whole[:HEADER] + second + first + whole[HEADER + 2 * SEALED_CHUNK :])


def test_bytes_after_the_end_are_noticed() -> None:
    with pytest.raises(SealBroken):
        opened(sealed(b"loom") + b"x")


def test_a_stream_of_another_name_does_not_open() -> None:
    with pytest.raises(SealBroken):
        opened(sealed(b"loom"), b"nightloom/1|checkpoints|00112233")


def test_sealing_takes_its_chunks_one_by_one() -> None:
    asked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal asked
        for asked in range(1, 11):  # noqa: B007 - read below
            yield bytes(CHUNK_BYTES)

    stream = seal_stream(KEY, pieces(), BINDING)
    next(stream)
    next(stream)
    assert asked == 2
