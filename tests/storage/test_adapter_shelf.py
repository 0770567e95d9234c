"""The shelf: only what passed, whole or not at all, and a way back."""

import dataclasses
from pathlib import Path

import pytest

from storage.errors import (
    AdapterDamaged,
    AdapterNotAdmitted,
    AdapterWithdrawn,
    AmbiguousAdapter,
    NothingToRollBack,
    UnknownAdapter,
)
from storage.records import AdapterStatus, sha256_hex
from storage.vault import Vault
from tests.storage.making import (
    MEASURED,
    candidate,
    flipped,
    passed,
    publish,
    put,
    reopen,
    tampering,
)


def sealed_adapters(folder: Path) -> list[Path]:
    return sorted((folder / "files" / "adapters").iterdir(), key=lambda path: path.stat().st_mtime)


def test_a_published_adapter_is_current_and_its_bytes_come_back(vault: Vault, folder: Path) -> None:
    weights = bytes(range(256)) * 1000
    published = publish(vault, weights)
    vault.close()
    with reopen(folder) as again:
        assert again.shelf.current() == published
        assert again.shelf.weights(published.sha256) == weights
        assert again.verify().intact
    assert published.status is AdapterStatus.CURRENT
    assert published.measured == MEASURED
    assert published.seen_items == {1, 2}


def test_what_an_adapter_was_trained_on_comes_back(vault: Vault, folder: Path) -> None:
    one = dataclasses.replace(candidate(b"weights"), learned=frozenset({7, 3}))
    vault.shelf.publish(passed(one), one, trained_at=0.0)
    vault.close()
    with reopen(folder) as again:
        current = again.shelf.current()
        assert current is not None
        assert current.learned == {3, 7}


def test_an_adapter_from_before_that_was_recorded_was_trained_on_nothing_known(
    vault: Vault,
) -> None:
    publish(vault, b"weights")
    table = vault.shelf._table
    ((row, record),) = table.intact()
    table.replace(row, {name: value for name, value in record.items() if name != "learned"})
    current = vault.shelf.current()
    assert current is not None
    assert current.learned == frozenset()
    assert current.seen_items == {1, 2}


def test_bytes_that_did_not_pass_are_not_published(vault: Vault, folder: Path) -> None:
    judged, other = candidate(b"judged"), candidate(b"other")
    swapped = dataclasses.replace(other, sha256=judged.sha256)
    for one in (other, swapped):
        with pytest.raises(AdapterNotAdmitted, match=other.sha256[:12]):
            vault.shelf.publish(passed(judged), one, trained_at=0.0)
    assert vault.shelf.current() is None
    assert sealed_adapters(folder) == []


def test_the_previous_adapter_stays(vault: Vault) -> None:
    first = publish(vault, b"first")
    second = publish(vault, b"second", parent=first.sha256)
    assert [(one.sha256, one.status.value) for one in vault.shelf.list()] == [
        (second.sha256, "current"),
        (first.sha256, "available"),
    ]
    assert vault.shelf.weights(first.sha256) == b"first"


def test_publishing_the_same_bytes_again_is_no_change(vault: Vault, folder: Path) -> None:
    first = publish(vault, b"first")
    publish(vault, b"second")
    assert publish(vault, b"first") == first
    assert len(vault.shelf.list()) == len(sealed_adapters(folder)) == 2


def test_an_adapter_is_found_by_the_first_digits_of_its_digest(vault: Vault) -> None:
    first = publish(vault, b"first")
    assert vault.shelf.get(first.sha256[:12]).sha256 == first.sha256
    for digits in ("", first.sha256[:3], "00000000"):
        with pytest.raises(UnknownAdapter):
            vault.shelf.get(digits)


def test_digits_that_two_adapters_share_are_refused(vault: Vault) -> None:
    by_start: dict[str, bytes] = {}
    for number in range(10_000):
        weights = b"%d" % number
        start = sha256_hex(weights)[:4]
        if start in by_start:
            publish(vault, by_start[start])
            publish(vault, weights)
            break
        by_start[start] = weights
    with pytest.raises(AmbiguousAdapter):
        vault.shelf.get(start)


def test_an_older_adapter_can_be_put_in_use(vault: Vault) -> None:
    first = publish(vault, b"first")
    publish(vault, b"second")
    assert vault.shelf.use(first.sha256[:12]).status is AdapterStatus.CURRENT
    current = vault.shelf.current()
    assert current is not None
    assert current.sha256 == first.sha256


def test_rolling_back_goes_to_the_parent_and_then_to_the_plain_base(vault: Vault) -> None:
    first = publish(vault, b"first")
    publish(vault, b"beside")
    publish(vault, b"second", parent=first.sha256)
    back = vault.shelf.rollback()
    assert back is not None
    assert (back.sha256, back.status) == (first.sha256, AdapterStatus.CURRENT)
    assert vault.shelf.rollback() is None
    assert vault.shelf.current() is None
    with pytest.raises(NothingToRollBack):
        vault.shelf.rollback()
    assert vault.verify().intact


def test_a_withdrawn_adapter_is_never_used_again(vault: Vault) -> None:
    first = publish(vault, b"first")
    middle = publish(vault, b"middle", parent=first.sha256)
    publish(vault, b"last", parent=middle.sha256)
    table = vault.shelf._table
    [row] = table.rows("id = 2")
    table.mark(row, withdrawn=1)
    with pytest.raises(AdapterWithdrawn, match=middle.sha256[:12]):
        vault.shelf.use(middle.sha256)
    with pytest.raises(AdapterWithdrawn):
        publish(vault, b"middle")
    back = vault.shelf.rollback()
    assert back is not None
    assert back.sha256 == first.sha256
    assert vault.verify().intact


def test_a_damaged_adapter_file_is_named_and_the_others_serve(vault: Vault, folder: Path) -> None:
    first = publish(vault, b"first" * 50_000)
    second = publish(vault, b"second" * 50_000, parent=first.sha256)
    damaged = sealed_adapters(folder)[0]
    damaged.write_bytes(flipped(damaged.read_bytes(), 1_000_003))
    with pytest.raises(AdapterDamaged, match=first.sha256[:12]):
        vault.shelf.weights(first.sha256)
    with pytest.raises(AdapterDamaged, match=first.sha256[:12]):
        vault.shelf.use(first.sha256)
    current = vault.shelf.current()
    assert current is not None
    assert vault.shelf.weights(current.sha256) == b"second" * 50_000
    assert current.sha256 == second.sha256
    assert [(one.purpose, one.number) for one in vault.verify().damaged_files] == [("adapters", 1)]
    assert vault.shelf.rollback() is None  # past the damaged parent, to the plain base


def test_a_missing_adapter_file_is_named(vault: Vault, folder: Path) -> None:
    first = publish(vault, b"first")
    sealed_adapters(folder)[0].unlink()
    with pytest.raises(AdapterDamaged, match=first.sha256[:12]):
        vault.shelf.weights(first.sha256)


def test_two_adapter_files_in_each_others_place_are_noticed(vault: Vault, folder: Path) -> None:
    one, two = publish(vault, b"one"), publish(vault, b"two")
    paths = sealed_adapters(folder)
    first, second = (path.read_bytes() for path in paths)
    paths[0].write_bytes(second)
    paths[1].write_bytes(first)
    for adapter in (one, two):
        with pytest.raises(AdapterDamaged):
            vault.shelf.weights(adapter.sha256)


def test_a_damaged_record_is_left_out_and_can_be_rolled_back_from(
    vault: Vault, folder: Path
) -> None:
    first = publish(vault, b"first")
    publish(vault, b"second", parent=first.sha256)
    vault.close()
    with tampering(folder) as database:
        database.execute("UPDATE adapters SET sealed = zeroblob(300) WHERE id = 2")
    with reopen(folder) as again:
        with pytest.raises(AdapterDamaged, match="number 2"):
            again.shelf.current()
        assert [one.sha256 for one in again.shelf.list()] == [first.sha256]
        back = again.shelf.rollback()
        assert back is not None
        assert back.sha256 == first.sha256


def test_adapter_states_and_night_move_together_or_not_at_all(vault: Vault, folder: Path) -> None:
    document = put(vault, "text").document_id or 0
    night = vault.ledger.begin_night({"state": "training"})

    def interrupted() -> None:
        with vault.transaction():
            publish(vault, b"first")
            vault.ledger.update_night(night, {"state": "done"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert vault.shelf.current() is None
    assert sealed_adapters(folder) == []
    assert vault.ledger.night(night)["state"] == "training"
    with vault.transaction():
        publish(vault, b"first")
        vault.documents.set_states({document: vault.documents.read(document).state})
        vault.ledger.update_night(night, {"state": "done"})
    assert vault.shelf.current() is not None
    assert vault.ledger.night(night)["state"] == "done"
    assert vault.verify().intact
