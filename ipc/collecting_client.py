"""The command line's side of `collecting_api.py`."""

from collections.abc import Iterator
from urllib.parse import quote

from ipc.client_calls import AdminCalls, Json


class CollectingClient(AdminCalls):
    """One method per route."""

    def scan(self, name: str) -> Iterator[Json]:
        """Progress, last what came of it; leaving the iterator leaves the service reading."""
        return self._lines("GET", f"/sources/{quote(name, safe='')}/scan")

    def failed(self) -> list[Json]:
        return self._list("/failed")
