"""The printed recovery key: read generously, and a typing mistake is told from a wrong key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import RecoveryKeyMistyped
from storage.recovery_key import ENTROPY_BYTES, RecoveryKey

ALPHABET = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
GOLDEN = RecoveryKey(entropy=bytes(range(ENTROPY_BYTES)))
PRINTED = "QQQSY-QCYQ5-RQWZQ-FPG9S-CRGWP-UGPZY-SNZSG-MG4XK"


def test_a_key_is_printed_like_this() -> None:
    assert GOLDEN.printed() == PRINTED


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_what_was_printed_can_be_read(entropy: bytes) -> None:
    key = RecoveryKey(entropy=entropy)
    assert RecoveryKey.parse(key.printed()) == key


def test_case_spaces_and_lookalikes_do_not_matter() -> None:
    typed = PRINTED.lower().replace("-", " ").replace("0", "o").replace("l", "1").replace("8", "b")
    assert RecoveryKey.parse(f"  {typed}\n") == GOLDEN


@given(st.integers(0, 39), st.sampled_from(ALPHABET))
def test_one_wrong_letter_is_told_by_the_checksum(position: int, letter: str) -> None:
    symbols = PRINTED.replace("-", "")
    typed = symbols[:position] + letter + symbols[position + 1 :]
    if typed == symbols:
        assert RecoveryKey.parse(typed) == GOLDEN
        return
    with pytest.raises(RecoveryKeyMistyped, match="its checksum does not match"):
        RecoveryKey.parse(typed)


def test_two_groups_in_each_others_place_are_told_by_the_checksum() -> None:
    groups = PRINTED.split("-")
    groups[1], groups[2] = groups[2], groups[1]
    with pytest.raises(RecoveryKeyMistyped, match="checksum"):
        RecoveryKey.parse("-".join(groups))


def test_a_missing_letter_is_told_by_the_count() -> None:
    with pytest.raises(RecoveryKeyMistyped, match="39 letters and digits where 40 belong"):
        RecoveryKey.parse(PRINTED[:-1])


def test_a_character_that_no_key_has_is_told_with_its_group() -> None:
    with pytest.raises(RecoveryKeyMistyped, match="group 3 has a character it cannot have"):
        RecoveryKey.parse(PRINTED[:13] + "?" + PRINTED[14:])


def test_a_key_does_not_show_in_its_repr() -> None:
    assert repr(GOLDEN) == "RecoveryKey()"
    assert RecoveryKey.generate() != RecoveryKey.generate()
