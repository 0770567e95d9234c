"""How far collecting is and what failed, as the service says it over its socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.collector import Collector
from daemon.collecting.reports import ScanProgress, SourceState
from daemon.collecting.vault_store import VaultStore
from daemon.collecting_operations import (
    MOST_FAILED,
    CollectingOperations,
    scan_facts,
    watched_facts,
)
from daemon.config import CollectSettings
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from storage.vault import Vault
from tests.daemon.collecting.parts import NoWatcher, source_settings, until, write
from tests.storage.making import FAST, PASSPHRASE


@asynccontextmanager
async def operations(
    root: Path, **more: Any
) -> AsyncIterator[tuple[CollectingOperations, Collector]]:
    vault, _ = Vault.create(root / "vault", passphrase=PASSPHRASE, argon2=FAST)
    door = VaultDoor(vault)
    settings = source_settings(root / "notes", **more)
    vault.sources.add(settings)
    collector = Collector(
        store=VaultStore(door), settings=CollectSettings(settle_seconds=0.0), watcher=NoWatcher()
    )
    try:
        collector.add(settings)
        yield (
            CollectingOperations(
                door, collector, lambda one, documents: {"name": one.name, "documents": documents}
            ),
            collector,
        )
    finally:
        await collector.close()
        await door.close()


async def test_the_first_scan_is_followed_to_its_counts(tmp_path: Path) -> None:
    write(tmp_path / "notes/a.txt", "one")
    write(tmp_path / "notes/b.txt", "two")
    async with operations(tmp_path) as (asked, _):
        lines = [line async for line in asked.scan("notes")]
        assert all("progress" in line for line in lines[:-1])
        assert lines[-1]["source"] == {"name": "notes", "documents": 2}
        assert lines[-1]["counts"]["stored"] == 2
        again = [line async for line in asked.scan("notes")]  # it is over already
        assert again == lines[-1:]
        assert asked.running() == []


async def test_a_source_that_has_to_wait_is_not_waited_for(tmp_path: Path) -> None:
    async with operations(tmp_path) as (asked, collector):  # there is no such folder
        await until(lambda: collector.report("notes").state is SourceState.MISSING)
        (line,) = [line async for line in asked.scan("notes")]
        assert line["counts"] is None


async def test_an_unknown_source_is_an_error_in_words(tmp_path: Path) -> None:
    async with operations(tmp_path) as (asked, _):
        with pytest.raises(OperationError, match="no source with this name"):
            await anext(asked.scan("letters"))


async def test_a_bounded_number_of_failed_files_is_named(tmp_path: Path) -> None:
    for number in range(MOST_FAILED + 1):
        with write(tmp_path / f"notes/{number}.txt", b"").open("r+b") as file:
            file.truncate(1 << 30)
    async with operations(tmp_path) as (asked, collector):
        await collector.rescan()
        (source,) = await asked.failed()
        assert len(source["failed"]) == MOST_FAILED
        assert source["failed"][0] == {"path": "0.txt", "reason": "too_large"}
        assert source["more"]


async def test_how_changes_are_noticed_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    async with operations(tmp_path) as (_, collector):
        await collector.rescan()
        facts = watched_facts(collector.report("notes"))
        assert facts["watched"] == "polling"
        assert facts["why_polled"]
        collector.pause("notes")
        assert watched_facts(collector.report("notes")) == {"watched": None, "why_polled": None}


def test_what_is_left_follows_from_the_bytes() -> None:
    scan = ScanProgress(
        source="notes", files=10, bytes=500, total_files=40, total_bytes=2000, begun_at=100.0
    )
    facts = scan_facts(scan, 110.0)
    assert (facts["files_per_second"], facts["bytes_per_second"]) == (1.0, 50.0)
    assert facts["seconds_left"] == 30.0
    assert scan_facts(scan, 100.0)["seconds_left"] is None
    assert scan_facts(None, 100.0)["files"] == 0
