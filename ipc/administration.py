"""What the command line may ask of the service: the seam behind `admin.sock`.

Plain values between `admin_api.py` (HTTP) and `daemon/operations.py`. Every answer is JSON with
the stable keys of the command line's `--json` output. Knows nothing of the vault.
"""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from ipc.backup_api import BackupBackend
from ipc.collecting_api import CollectingBackend
from ipc.forgetting_api import ForgettingBackend
from ipc.keys_api import KeysBackend
from ipc.limits_api import LimitsBackend
from ipc.seeing_api import SeeingBackend
from ipc.shelf_api import ShelfBackend

Json = dict[str, Any]


class AdminBackend(Protocol):
    """Implemented in `daemon/operations.py`. Methods raise `OperationError` (`ipc/errors.py`)."""

    @property
    def keys(self) -> KeysBackend: ...

    @property
    def forgetting(self) -> ForgettingBackend: ...

    @property
    def seeing(self) -> SeeingBackend: ...

    @property
    def limits(self) -> LimitsBackend: ...

    @property
    def collecting(self) -> CollectingBackend: ...

    @property
    def backup(self) -> BackupBackend: ...

    @property
    def shelf(self) -> ShelfBackend: ...

    async def status(self) -> Json: ...

    async def why(self) -> Json: ...

    async def sources(self) -> list[Json]: ...

    async def add_source(
        self,
        *,
        name: str | None,
        kind: str,
        path: str,
        include: list[str],
        exclude: list[str],
        me: list[str],
        own: bool,
        keep_deleted: bool,
    ) -> Json: ...

    async def remove_source(self, name: str) -> Json: ...

    async def rescan(self) -> Json:
        """Scan all sources now and wait until they are collected; counts."""
        ...

    async def preview(self) -> Json: ...

    def run_night(self, *, on_battery: bool) -> AsyncGenerator[Json, None]:
        """Start a night now (or join the one that runs); yields progress, last the night's log.

        Closing the generator leaves the night running.
        """
        ...

    async def stop_night(self) -> Json: ...

    def night_passages(self, night: int | None) -> AsyncGenerator[Json, None]:
        """Held-out passages, continued before and after that night, or the last that published."""
        ...

    async def pause_nights(self, seconds: float | None) -> Json:
        """For so long or until `resume_nights`; collecting goes on."""
        ...

    async def resume_nights(self) -> Json: ...

    async def nights(self, count: int | None) -> list[Json]: ...

    async def adapters(self) -> list[Json]: ...

    async def use_adapter(self, adapter: str) -> Json: ...

    async def rollback(self) -> Json: ...

    async def bases(self) -> list[Json]: ...

    async def shut_down(self) -> Json: ...
