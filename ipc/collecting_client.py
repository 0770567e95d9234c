"""The command line's side of `collecting_api.py`."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from ipc.client_calls import AdminCalls, Json


class CollectingClient(AdminCalls):
    """One method per route."""

    def scan(self, name: str) -> Iterator[Json]:
        """Progress, last what came of it; leaving the iterator leaves the service reading."""
        return self._lines("GET", f"/sources/{quote(name, safe='')}/scan")

    def speakers(self, path: str, *, me: Sequence[str] = ()) -> list[str]:
        """Names in the exports of chats at a place; none where one of them is `me`."""
        body = {"path": path, "me": list(me)}
        names = self._object("POST", "/speakers", body, timeout=None).get("speakers")
        return [str(name) for name in names] if isinstance(names, list) else []

    def failed(self) -> list[Json]:
        return self._list("/failed")
