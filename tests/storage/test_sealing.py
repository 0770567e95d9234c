"""Sealed bytes: their exact layout, and that a changed bit, key or place opens nothing."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import SealBroken
from storage.sealing import (
    HASH_BYTES,
    derive_key,
    framed,
    key_binding,
    pad,
    padded_length,
    prepared_mac,
    row_binding,
    seal,
    seal_each,
    seal_row,
    seal_with_nonce,
    unpad,
    unseal,
    unseal_row,
)
from tests.storage.making import flipped

KEY = bytes(range(32))
NONCE = bytes(range(100, 112))
BINDING = row_binding("document_texts", 7, "sealed")


def test_bindings_are_written_as_the_readme_says() -> None:
    assert BINDING == b"nightloom/1|document_texts|7|sealed"
    assert key_binding("data_keys", 9, "epoch 3") == b"nightloom/1|data_keys|9|epoch 3"


def test_a_sealed_row_has_these_bytes() -> None:
    sealed = seal_with_nonce(KEY, NONCE, pad(b"the bees are quiet"), BINDING)
    assert sealed[:13] == b"\x01" + NONCE
    assert len(sealed) == 1 + 12 + 256 + 16
    assert sealed[13:45].hex() == "3c73bb461b8c33ed1e032d8dfa141f9427b6860a8b6cf372a7d1ac48fba3a548"
    assert sealed[-16:].hex() == "800e1a64fee1770d6b97b09017b85a54"
    assert unseal_row(KEY, sealed, BINDING) == b"the bees are quiet"


def test_a_wrapped_key_has_these_bytes() -> None:
    binding = key_binding("data_keys", 9, "epoch 3")
    assert seal_with_nonce(KEY, NONCE, bytes(32), binding).hex() == (
        "016465666768696a6b6c6d6e6f481bde6679e9569e3e625fe8da656afd42c206"
        "0a8b6cf372a7d1ac48fba3a548a723ba07cb5451c0024bb7e7b2922c87"
    )


def test_derived_keys_and_keyed_hashes_have_these_bytes() -> None:
    assert (
        derive_key(KEY, "lookup/item").hex()
        == "5fbcd9b596a37e188543bb18d88130b1b6e692d4a406675d82e28fb95475448e"
    )
    assert (
        prepared_mac(KEY)(framed(b"notes", b"/home/ada/diary.md"))[:HASH_BYTES].hex()
        == "089fd8911a051d03523839273b61fa0b"
    )


def test_padding_has_these_lengths() -> None:
    lengths = [0, 1, 256, 257, 272, 273, 1000, 2049, 100_000, 10_000_000]
    assert [padded_length(n) for n in lengths] == [
        256, 256, 256, 272, 272, 288, 1024, 2176, 100_352, 10_223_616,
    ]  # fmt: skip
    assert pad(b"ab") == b"ab\x80" + bytes(253)


@given(st.binary(max_size=3000))
def test_padding_comes_off_again(plaintext: bytes) -> None:
    padded = pad(plaintext)
    assert unpad(padded) == plaintext
    assert len(padded) == padded_length(len(plaintext) + 1)
    assert len(padded) <= max(256, 1.12 * (len(plaintext) + 1) + 1)


@given(st.binary(max_size=600), st.integers(min_value=0))
def test_one_flipped_bit_opens_nothing(plaintext: bytes, bit: int) -> None:
    sealed = seal_row(KEY, plaintext, BINDING)
    with pytest.raises(SealBroken):
        unseal_row(KEY, flipped(sealed, bit), BINDING)


@given(st.integers(min_value=0))
def test_a_wrapped_key_with_one_flipped_bit_opens_nothing(bit: int) -> None:
    binding = key_binding("data_keys", 1, "epoch 1")
    with pytest.raises(SealBroken):
        unseal(KEY, flipped(seal(KEY, KEY, binding), bit), binding)


@given(st.integers(min_value=0, max_value=284))
def test_cut_bytes_open_nothing(length: int) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, seal_row(KEY, b"text", BINDING)[:length], BINDING)


@pytest.mark.parametrize(
    "elsewhere",
    [
        row_binding("document_texts", 8, "sealed"),
        row_binding("sources", 7, "sealed"),
        row_binding("document_texts", 7, "title"),
    ],
)
def test_a_cell_opens_in_its_own_place_only(elsewhere: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal_row(KEY, seal_row(KEY, b"text", BINDING), elsewhere)


def test_the_same_text_sealed_twice_has_nothing_in_common() -> None:
    first, second = seal_row(KEY, b"text", BINDING), seal_row(KEY, b"text", BINDING)
    assert first[1:13] != second[1:13]
    assert first[13:] != second[13:]


def test_parts_of_a_keyed_hash_do_not_run_together() -> None:
    assert framed(b"ab", b"c") != framed(b"a", b"bc")


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_a_prepared_mac_is_the_standard_library_s(key: bytes, message: bytes) -> None:
    assert prepared_mac(key)(message) == hmac.digest(key, message, "sha256")


def test_cells_sealed_together_open_one_by_one_and_share_no_nonce() -> None:
    keys, texts = [bytes([n]) * 32 for n in range(5)], [b"%d" % n for n in range(5)]
    bindings = [row_binding("document_texts", n, "sealed") for n in range(5)]
    sealed = list(seal_each(5, keys, map(pad, texts), bindings))
    assert list(map(unseal_row, keys, sealed, bindings)) == texts
    assert len({one[1:13] for one in sealed}) == 5


def test_padding_without_its_mark_is_refused() -> None:
    with pytest.raises(SealBroken):
        unpad(bytes(256))
