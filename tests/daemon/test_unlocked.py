"""Jobs of the open vault: begun at unlock, one run at a time, ended at lock, silent about text."""

import asyncio
import logging
import time

import pytest

from daemon.errors import VaultIsLocked
from daemon.unlocked import Job, at_work


async def test_a_job_begins_at_unlock_only_if_it_says_so() -> None:
    begun: list[str] = []

    async def note(name: str) -> None:
        begun.append(name)

    jobs = (
        Job(name="retention", run=lambda: note("retention"), at_unlock=True, every_minutes=60),
        Job(name="rescan", run=lambda: note("rescan"), every_minutes=60),
    )
    async with at_work(jobs):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun == ["retention"]


async def test_a_job_may_say_itself_when_it_is_its_time() -> None:
    done = asyncio.Event()
    moments = [time.time() - 1.0, time.time() + 1e6]  # the machine slept over the first

    async def edge() -> None:
        done.set()

    job = Job(name="window edge", run=edge, next_at=lambda: moments.pop(0) if moments else None)
    async with at_work((job,)):
        await done.wait()
    assert moments == []


async def test_a_job_that_still_runs_is_ended_before_the_vault_is_closed() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # what it puts away
            ended.set()

    async with at_work((Job(name="endless", run=endless, at_unlock=True),)):
        await began.wait()
    assert ended.is_set()


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("heather honey"), "ValueError"), (VaultIsLocked(), "")]
)
async def test_a_job_that_breaks_says_its_type_and_no_text(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = asyncio.Event()

    async def breaks() -> None:
        done.set()
        raise error

    with caplog.at_level(logging.INFO, logger="nightloom.jobs"):
        async with at_work((Job(name="breaks", run=breaks, at_unlock=True),)):
            await done.wait()
            await asyncio.sleep(0)
    assert "heather" not in caplog.text
    assert (told in caplog.text) if told else (caplog.text == "")
