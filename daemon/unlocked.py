"""What is alive only while the vault is open: following the sources, nights, jobs.

The parts themselves live as long as the service, so that everybody can hold on to them; while the
vault is locked they are empty. `unlocked` is entered at unlock and left at lock. A new job is a
line in `jobs_of`.
"""

import asyncio
import contextlib
import datetime
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from daemon.audit_log import AuditLog
from daemon.collecting.collector import Collector
from daemon.config import Config
from daemon.curation import Curation
from daemon.engine_handle import EngineHandle
from daemon.errors import VaultIsLocked
from daemon.limits import Limits
from daemon.night_runner import NightRunner
from daemon.night_watch import NightWatch
from daemon.redacting_again import RedactingAgain
from daemon.vault_door import Door, VaultDoor
from storage.errors import StorageFailing, StorageFull

log = logging.getLogger("nightloom.jobs")

HOURLY_MINUTES = 60
DAILY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What works on the open vault."""

    config: Config
    door: VaultDoor
    engine: EngineHandle
    nights: NightRunner
    collector: Collector
    limits: Limits
    account: AuditLog
    curation: Curation
    watch: NightWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something that is done while the vault is open, one run at a time.

    It may be cancelled wherever it waits. What it raises is logged by its type and ends this run.
    """

    name: str
    run: Callable[[], Awaitable[Any]]
    at_unlock: bool = False
    every_minutes: float | None = None
    next_at: Callable[[], float | None] | None = None  # seconds since the epoch; asked each time


def jobs_of(parts: Parts) -> tuple[Job, ...]:
    """All of them; one line for each."""
    return (
        Job(
            name="rescan",
            run=parts.collector.rescan,
            every_minutes=parts.config.collect.rescan_minutes,
        ),
        Job(
            name="redacting again",
            run=RedactingAgain(parts.door, parts.nights).run,
            at_unlock=True,
        ),
        Job(
            name="retention",
            run=parts.limits.retention.apply,
            at_unlock=True,
            every_minutes=DAILY_MINUTES,
        ),
        Job(name="window edge", run=parts.watch.look_again, next_at=parts.watch.next_edge),
    )


@contextlib.asynccontextmanager
async def unlocked(parts: Parts, *, by: str) -> AsyncIterator[None]:
    """The parts at work for as long as the context lasts, on a vault that was just opened.

    On leaving: jobs are cancelled, a night saves its checkpoint and ends, nothing is collected any
    more, the engine's process is gone, with the adapters that it held, and the vault is closed.

    Args:
        by: the kind of the slot that opened it.
    """
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.callback(parts.curation.clear)  # of those too who wait for it still
        cleanup.push_async_callback(parts.collector.clear)  # again: who was on the way in
        cleanup.push_async_callback(parts.door.lock)
        await _record(parts.door, "unlocked", {"slot": by})
        cleanup.push_async_callback(_record_lock, parts.door.inner)
        cleanup.push_async_callback(parts.account.write)
        cleanup.push_async_callback(parts.engine.stop)
        cleanup.push_async_callback(parts.collector.clear)
        await cleanup.enter_async_context(parts.limits.in_force())
        for settings in await parts.door.call(lambda vault: vault.sources.list()):
            parts.collector.add(settings)
        cleanup.push_async_callback(parts.nights.stop)
        await cleanup.enter_async_context(at_work(jobs_of(parts)))
        await cleanup.enter_async_context(parts.watch.at_work())
        yield


async def _record_lock(door: Door) -> None:
    await _record(door, "locked", {})


async def _record(door: Door, kind: str, facts: dict[str, Any]) -> None:
    """A full disk keeps nobody out, for room can be made from inside, and nobody in."""
    try:
        await door.call(lambda vault: vault.ledger.append_event(kind, facts))
    except (StorageFull, StorageFailing) as error:
        log.error("that the vault was %s could not be recorded: %s", kind, type(error).__name__)


@contextlib.asynccontextmanager
async def at_work(jobs: tuple[Job, ...]) -> AsyncIterator[None]:
    """Runs the jobs when it is their time; on leaving, ends those that run."""
    running: dict[str, asyncio.Task[None]] = {}

    async def begin(job: Job) -> None:
        """Unless its last run still goes on."""
        if job.name not in running or running[job.name].done():
            running[job.name] = asyncio.create_task(_run(job), name=f"job {job.name}")

    async def begin_and_plan(job: Job) -> None:
        plan(job)
        await begin(job)

    def plan(job: Job) -> None:
        """The next run of a job that says itself when."""
        assert job.next_at is not None
        if (moment := job.next_at()) is not None:
            at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
            scheduler.add_job(
                begin_and_plan, "date", args=[job], run_date=at, misfire_grace_time=None
            )

    scheduler = AsyncIOScheduler(timezone=datetime.UTC)  # moments only: no local time is asked
    for job in jobs:
        if job.next_at is not None:
            plan(job)
        if job.every_minutes is not None:
            scheduler.add_job(
                begin,
                "interval",
                args=[job],
                minutes=job.every_minutes,
                coalesce=True,
                max_instances=1,
            )
        if job.at_unlock:
            await begin(job)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        for task in running.values():
            task.cancel()
        if running:
            await asyncio.wait(running.values())


async def _run(job: Job) -> None:
    try:
        await job.run()
    except VaultIsLocked:
        pass  # it was locked just now
    except Exception as error:
        # the type only: messages may quote what was read
        log.error("%s failed: %s", job.name, type(error).__name__)
