"""What the command line asks about collecting: how far it is, how it hears of changes, what failed.

Implements `ipc.collecting_api.CollectingBackend`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict
from typing import Any

from daemon.collecting.collector import Collector
from daemon.collecting.kinds import INCLUDES
from daemon.collecting.reports import ScanProgress, SourceReport, SourceState
from daemon.collecting.source import kept_path
from daemon.collecting.watching import WhyPolled
from daemon.operation_errors import said
from daemon.vault_door import Door
from storage.records import SourceSettings

Json = dict[str, Any]

TELL_SECONDS = 0.5
MOST_FAILED = 100  # names per source
WHY = {
    WhyPolled.NETWORK: "a network file system does not tell what other machines change",
    WhyPolled.NO_ROOM: "it has more folders than may be watched; raise fs.inotify.max_user_watches",
    WhyPolled.NO_EVENTS: "the system tells of no changes there",
}


class CollectingOperations:
    """A part of `Operations`.

    Args:
        source: what `sources list` shows of a source and how many documents it has.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        vault: Door,
        collector: Collector,
        source: Callable[[SourceSettings, int], Json],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._vault = vault
        self._collector = collector
        self._source = source
        self._clock = clock

    async def scan(self, name: str) -> AsyncGenerator[Json, None]:
        with said():
            done = self._collector.first_scan(name)
            while not done.done() and not self._waits(name):
                yield {"progress": scan_facts(self._collector.report(name).scan, self._clock())}
                await asyncio.wait({done}, timeout=TELL_SECONDS)
            counts = asdict(done.result()) if done.done() and not done.cancelled() else None
            settings = await self._vault.call(lambda vault: vault.sources.get(name))
            kept = self._collector.report(name).documents
            yield {"source": self._source(settings, kept), "counts": counts}

    def _waits(self, name: str) -> bool:
        """Whether the end of the scan does not come by itself."""
        report = self._collector.report(name)
        return report.state is not SourceState.WATCHING or report.last_error is not None

    async def speakers(self, path: str, me: list[str]) -> Json:
        settings = SourceSettings(
            name="chats", kind="chats", path=path, me=tuple(me), include=INCLUDES["chats"]
        )
        with said():
            await self._vault.call(lambda _: None)  # a locked service looks at nobody's chats
            return {"speakers": await self._collector.speakers(settings)}

    async def failed(self) -> list[Json]:
        with said():
            names = [report.name for report in self._collector.reports()]
            return [self._failed(name) for name in names]

    def _failed(self, name: str) -> Json:
        found = self._collector.failed(name, MOST_FAILED + 1)
        return {
            "name": name,
            "failed": [
                {"path": kept_path(one.path), "reason": str(one.reason)}
                for one in found[:MOST_FAILED]
            ],
            "more": len(found) > MOST_FAILED,
        }

    def running(self) -> list[Json]:
        """The scans of everything that there are now, for `status`."""
        now = self._clock()
        return [
            {"source": one.name, **scan_facts(one.scan, now)}
            for one in self._collector.reports()
            if one.scan is not None
        ]


def watched_facts(report: SourceReport) -> Json:
    """How changes are noticed: `events`, `polling`, or not at all now."""
    if report.watched:
        return {"watched": "events", "why_polled": None}
    why = report.why_polled
    return {
        "watched": None if why is None else "polling",
        "why_polled": None if why is None else WHY[why],
    }


def scan_facts(scan: ScanProgress | None, now: float) -> Json:
    """How far a scan of everything is, and how fast; null where that is not known."""
    if scan is None:
        scan = ScanProgress(
            source="", files=0, bytes=0, total_files=None, total_bytes=None, begun_at=now
        )
    seconds = max(0.0, now - scan.begun_at)
    speed = scan.bytes / seconds if seconds > 0 else None
    left = None if scan.total_bytes is None else max(0, scan.total_bytes - scan.bytes)
    return {
        "files": scan.files,
        "total_files": scan.total_files,
        "bytes": scan.bytes,
        "total_bytes": scan.total_bytes,
        "seconds": seconds,
        "files_per_second": scan.files / seconds if seconds > 0 else None,
        "bytes_per_second": speed,
        "seconds_left": left / speed if left is not None and speed else None,
    }
