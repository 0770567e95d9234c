"""Manifest and witness: exact bytes, changes that add up, records that nobody else can write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import SealBroken
from storage.manifest import Cell, Manifest, encode_row
from storage.witness import RECORD_BYTES, Witness, decode_record, encode_record
from tests.storage.making import flipped

KEY = bytes(range(32))
CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary()
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=8)


def test_a_row_is_encoded_like_this() -> None:
    assert encode_row("documents", (7, "new", b"\0;", None)) == b"documents|i7;s3:newb2:\0;n;"


def test_a_row_has_this_element() -> None:
    element = Manifest(key=KEY).element("documents", (7, "new", b"\0;", None))
    assert (
        element.to_bytes(32, "big").hex()
        == "3121c704e841aa3857ac8fbe5ade12d22ea9324ba51cd38b6e21e0141c77259f"
    )


def test_a_manifest_has_these_bytes() -> None:
    manifest = Manifest(key=KEY, generation=5)
    manifest.next_ids("documents", 3)
    manifest.add("documents", (7, "new", b"\0;", None))
    manifest.tally("adapters")
    assert manifest.encode().hex() == (
        "00000000000000050002"
        + "086164617074657273" + "00" * 48
        + "09646f63756d656e7473" + "0000000000000001" + "0000000000000003"
        + "3121c704e841aa3857ac8fbe5ade12d22ea9324ba51cd38b6e21e0141c77259f"
    )  # fmt: skip
    assert Manifest.decode(KEY, manifest.encode()) == manifest


@given(ROWS, ROWS)
def test_a_running_tally_is_the_tally_of_what_is_left(
    kept: list[tuple[Cell, Cell]], gone: list[tuple[Cell, Cell]]
) -> None:
    manifest = Manifest(key=KEY)
    for row in gone + kept:
        manifest.add("documents", row)
    for row in gone:
        manifest.remove("documents", row)
    assert manifest.tally("documents") == manifest.count_of("documents", reversed(kept))


@given(st.tuples(CELLS, CELLS), st.tuples(CELLS, CELLS))
def test_two_rows_are_encoded_alike_only_if_they_are_alike(
    one: tuple[Cell, Cell], other: tuple[Cell, Cell]
) -> None:
    assert (encode_row("t", one) == encode_row("t", other)) == (one == other)


def test_an_id_is_never_given_out_twice() -> None:
    manifest = Manifest(key=KEY)
    assert manifest.next_ids("items", 2) == 1
    assert manifest.next_ids("items") == 3
    assert Manifest.decode(KEY, manifest.encode()).next_ids("items") == 4


@given(st.binary(max_size=200))
def test_bytes_that_are_no_manifest_are_refused_cleanly(data: bytes) -> None:
    with pytest.raises(SealBroken):
        Manifest.decode(KEY, data)


def test_a_witness_record_has_these_bytes() -> None:
    record = encode_record(KEY, 258)
    assert record[:16].hex() == "4e4c5754010000000000000000000102"
    assert record[16:48].hex() == "d055a621bdfb68b4d1c65e7e365816308d2f19835912e7a6ef3e9b5628f769bc"
    assert record[48:] == bytes(16)
    assert decode_record(KEY, record) == 258


@given(st.integers(min_value=0, max_value=8 * RECORD_BYTES - 1))
def test_a_witness_record_with_a_flipped_bit_counts_for_nothing(bit: int) -> None:
    assert decode_record(KEY, flipped(encode_record(KEY, 7), bit)) is None


def test_a_half_written_record_leaves_the_one_before_it(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "witness", KEY)
    witness.start_anew(4)
    witness.write(5)
    witness.close()
    data = (tmp_path / "witness").read_bytes()
    assert Witness(tmp_path / "witness", KEY).read() == 5
    (tmp_path / "witness").write_bytes(data[: RECORD_BYTES + 20])
    assert Witness(tmp_path / "witness", KEY).read() == 4


@pytest.mark.parametrize("data", [b"", b"x" * 128, bytes(128)])
def test_a_file_that_is_no_witness_saw_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "witness").write_bytes(data)
    assert Witness(tmp_path / "witness", KEY).read() is None
