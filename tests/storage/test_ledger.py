"""The log of the nights and the chain of events."""

import time
from pathlib import Path

import pytest

from storage.errors import RowDamaged, UnknownNight, UnknownSource
from storage.records import SourceSettings
from storage.vault import Vault
from tests.storage.making import reopen, tampering


def test_nights_come_newest_first(vault: Vault, folder: Path) -> None:
    for number in range(3):
        vault.ledger.begin_night(
            {"state": "preparing", "tokens": number, "lost": {"on_battery": 2.5}}
        )
    vault.close()
    with reopen(folder) as again:
        assert [night["id"] for night in again.ledger.nights()] == [3, 2, 1]
        assert again.ledger.nights(1) == [
            {"id": 3, "state": "preparing", "tokens": 2, "lost": {"on_battery": 2.5}}
        ]


def test_a_night_is_written_over_as_it_goes_on(vault: Vault) -> None:
    night = vault.ledger.begin_night({"state": "training"})
    vault.ledger.update_night(night, {"state": "refused", "reason": "general_loss"})
    assert vault.ledger.night(night) == {"id": night, "state": "refused", "reason": "general_loss"}
    assert len(vault.ledger.nights()) == 1
    assert vault.verify().intact


def test_a_night_that_never_was_is_unknown(vault: Vault) -> None:
    with pytest.raises(UnknownNight, match="no night 4"):
        vault.ledger.night(4)
    with pytest.raises(UnknownNight):
        vault.ledger.update_night(4, {})


def test_an_older_record_of_a_night_put_back_is_noticed(vault: Vault, folder: Path) -> None:
    night = vault.ledger.begin_night({"state": "training"})
    [row] = vault._database.fetch(
        "SELECT n.key, n.sealed, k.epoch, k.wrapped FROM nights n JOIN data_keys k ON k.id = n.key"
    )
    vault.ledger.update_night(night, {"state": "refused"})
    vault.close()
    key, sealed, epoch, wrapped = row
    with tampering(folder) as database:
        database.execute("INSERT INTO data_keys VALUES (?, ?, ?)", (key, epoch, wrapped))
        database.execute("UPDATE nights SET key = ?, sealed = ?", (key, sealed))
    with reopen(folder) as again:
        assert again.ledger.night(night)["state"] == "training"  # it opens
        assert [one.table for one in again.verify().tables] == ["nights"]  # and is found out


def test_a_damaged_night_is_left_out_of_the_log(vault: Vault, folder: Path) -> None:
    for number in range(2):
        vault.ledger.begin_night({"tokens": number})
    vault.close()
    with tampering(folder) as database:
        database.execute("UPDATE nights SET sealed = zeroblob(300) WHERE id = 1")
    with reopen(folder) as again:
        assert [night["id"] for night in again.ledger.nights()] == [2]
        with pytest.raises(RowDamaged, match="Row 1 of nights"):
            again.ledger.night(1)


def test_events_are_kept_in_order(vault: Vault, folder: Path) -> None:
    before = round(time.time() - 0.001, 3)
    vault.ledger.append_event("collected", {"documents": 3, "items": (1, 2)})
    vault.ledger.append_event("published", {"adapter": "abc"})
    vault.close()
    with reopen(folder) as again:
        events = again.ledger.events()
        assert [(event["id"], event["kind"], event["facts"]) for event in events] == [
            (1, "collected", {"documents": 3, "items": [1, 2]}),
            (2, "published", {"adapter": "abc"}),
        ]
        assert before <= events[0]["at"] <= events[1]["at"] <= time.time() + 0.001
        assert again.verify().intact


def test_an_event_taken_out_of_the_middle_breaks_the_chain(vault: Vault, folder: Path) -> None:
    for number in range(4):
        vault.ledger.append_event("served", {"requests": number})
    vault.close()
    with tampering(folder) as database:
        database.execute("DELETE FROM events WHERE id = 2")
    with reopen(folder) as again:
        report = again.verify()
    assert report.broken_event_links == (3,)
    assert [one.table for one in report.tables] == ["events"]


def test_a_removed_source_is_unknown(vault: Vault) -> None:
    vault.sources.add(SourceSettings(name="notes", kind="folder", path="/notes"))
    vault.sources.remove("notes")
    assert vault.sources.list() == []
    for ask in (vault.sources.get, vault.sources.remove):
        with pytest.raises(UnknownSource):
            ask("notes")
