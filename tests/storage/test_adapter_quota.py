"""Which adapters are pinned, and which lose their weights when there is too little room."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from storage.adapter_quota import DAY_SECONDS, MONTHS, NIGHTS, WEEKS, Shelved, to_clear, to_keep
from storage.errors import AdapterInUse, AdapterPinned, AdapterWithdrawn, UnknownAdapter
from storage.records import AdapterStatus
from storage.vault import Vault
from tests.storage.making import publish, reopen

DAY_0 = 1_700_000_000.0


def line(nights: int, *, base: str = "base-1", size: int = 100) -> list[Shelved]:
    """One adapter a night, each from the one before; the last is in use."""
    return [
        Shelved(
            sha256=f"{base}-{number}",
            base=base,
            parent=f"{base}-{number - 1}" if number else None,
            trained_at=DAY_0 + number * DAY_SECONDS,
            size=size,
            current=number == nights - 1,
            withdrawn=False,
        )
        for number in range(nights)
    ]


def numbers(digests: "frozenset[str] | tuple[str, ...]") -> list[int]:
    return sorted(int(digest.rpartition("-")[2]) for digest in digests)


def test_a_short_line_is_kept_whole() -> None:
    assert numbers(to_keep(line(8))) == list(range(8))


def test_ancestors_are_kept_at_growing_distances() -> None:
    kept = numbers(to_keep(line(400)))
    assert kept[-1] == 399
    assert set(range(399 - NIGHTS, 400)) <= set(kept)
    older = [number for number in kept if number < 399 - NIGHTS]
    assert WEEKS - 2 <= sum(399 - number <= 31 for number in older) <= WEEKS + 1
    assert MONTHS - 2 <= sum(399 - number > 31 for number in older) <= MONTHS
    assert max(late - early for early, late in pairwise(older)) <= 30
    assert 399 - kept[0] > 300  # about a year


def test_what_is_pinned_today_is_what_will_be_needed_later() -> None:
    """Night by night nothing is missed that a later pin would have wanted."""
    gone: set[str] = set()
    for night in range(1, 200):
        adapters = [
            Shelved(**{**_facts(one), "withdrawn": one.sha256 in gone}) for one in line(night)
        ]
        gone |= set(to_clear(adapters, limit_bytes=0))
    left = [number for number in range(199) if f"base-1-{number}" not in gone]
    assert 198 - left[0] > 120
    assert len(left) <= 1 + NIGHTS + WEEKS + MONTHS
    assert max(late - early for early, late in pairwise(left)) <= 31


def test_the_newest_of_another_base_is_kept() -> None:
    other = (Shelved(**{**_facts(one), "current": False}) for one in line(3, base="base-2"))
    adapters = [*line(2), *other]
    kept = to_keep(adapters)
    assert "base-2-2" in kept
    assert not {"base-2-0", "base-2-1"} & kept


def test_a_line_goes_on_through_what_has_no_weights_any_more() -> None:
    adapters = line(5)
    adapters[2] = Shelved(**{**_facts(adapters[2]), "withdrawn": True})
    assert numbers(to_keep(adapters)) == [0, 1, 3, 4]


def test_records_that_name_each_other_as_parents_end_the_line() -> None:
    adapters = line(2)
    adapters[0] = Shelved(**{**_facts(adapters[0]), "parent": "base-1-1"})
    assert numbers(to_keep(adapters)) == [0, 1]


def test_the_oldest_that_is_not_pinned_goes_first_and_only_as_many_as_needed() -> None:
    adapters = line(60)
    free = [one for one in adapters if one.sha256 not in to_keep(adapters)]
    assert to_clear(adapters, limit_bytes=6000) == ()
    assert to_clear(adapters, limit_bytes=5750) == tuple(one.sha256 for one in free[:3])
    assert to_clear(adapters, limit_bytes=None) == ()


def test_pinned_ones_stay_however_small_the_room() -> None:
    adapters = line(60)
    kept = to_keep(adapters)
    gone = to_clear(adapters, limit_bytes=1)
    assert set(gone) == {one.sha256 for one in adapters} - kept


def _facts(one: Shelved) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Shelved.__slots__}


# --------------------------------------------------------------------------- in a vault


def grown(vault: Vault, nights: int) -> list[str]:
    digests: list[str] = []
    for number in range(nights):
        parent = digests[-1] if digests else None
        digests.append(publish(vault, bytes([number]) * 5000, parent=parent).sha256)
    return digests


def test_beyond_the_quota_old_weights_are_gone_and_their_records_stay(
    vault: Vault, folder: Path
) -> None:
    digests = grown(vault, 12)
    size = vault.adapter_quota.shelved()[0].size
    assert vault.adapter_quota.used_bytes() == 12 * size
    before = sum(path.stat().st_size for path in (folder / "files/adapters").iterdir())
    gone = vault.adapter_quota.apply(10 * size)
    assert gone == tuple(digests[:2])
    after = sum(path.stat().st_size for path in (folder / "files/adapters").iterdir())
    assert after < before - 9000
    vault.close()
    with reopen(folder) as again:
        assert again.verify().intact
        shelf = {one.sha256: one for one in again.shelf.list()}
        assert list(shelf) == digests[::-1]
        assert [shelf[digest].status for digest in digests[:3]] == [
            AdapterStatus.WITHDRAWN, AdapterStatus.WITHDRAWN, AdapterStatus.AVAILABLE
        ]  # fmt: skip
        assert shelf[digests[-1]].pinned
        assert shelf[digests[-2]].pinned
        assert not shelf[digests[2]].pinned
        with pytest.raises(AdapterWithdrawn):
            again.shelf.use(digests[0])
        assert again.adapter_quota.apply(10 * size) == ()


def test_going_back_passes_what_was_cleared(vault: Vault) -> None:
    digests = grown(vault, 3)
    vault.adapter_quota.delete(digests[1], pinned=True)
    now = vault.shelf.rollback()
    assert now is not None
    assert now.sha256 == digests[0]


def test_a_child_of_what_was_cleared_is_not_tainted_by_that(vault: Vault) -> None:
    from storage.adapter_withdrawal import tainted

    digests = grown(vault, 3)
    vault.adapter_quota.delete(digests[0], pinned=True)
    assert tainted(vault.shelf.kept(), {99}) == []


def test_the_adapter_in_use_is_not_deleted_and_another_is(vault: Vault, folder: Path) -> None:
    digests = grown(vault, 2)
    with pytest.raises(AdapterInUse):
        vault.adapter_quota.delete(digests[1])
    with pytest.raises(AdapterPinned):
        vault.adapter_quota.delete(digests[0])
    assert vault.adapter_quota.delete(digests[0][:8], pinned=True) > 5000
    assert vault.adapter_quota.delete(digests[0]) == 0
    with pytest.raises(UnknownAdapter):
        vault.adapter_quota.delete("00000000")
    vault.close()
    with reopen(folder) as again:
        assert again.shelf.weights(digests[1]) == b"\x01" * 5000
        assert again.verify().intact
