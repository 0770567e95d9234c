"""The command line's side of `seeing_api.py`: preview, test, audit and export."""

from collections.abc import Iterator
from urllib.parse import urlencode

from ipc.client_calls import AdminCalls, Json


class SeeingClient(AdminCalls):
    """One method per route."""

    def texts(
        self, *, document: int | None = None, after: int = 0, count: int | None = None
    ) -> Iterator[Json]:
        """Documents with their text, as they come; leaving the iterator hangs up."""
        asked = {"document": document, "after": after or None, "count": count}
        given = urlencode({name: value for name, value in asked.items() if value is not None})
        return self._lines("GET", f"/preview/texts?{given}" if given else "/preview/texts")

    def forgotten(self, *, source: str | None, path: str | None, text: str) -> bool:
        body = {"source": source, "path": path, "text": text}
        return bool(self._object("POST", "/test/forgotten", body)["forgotten"])

    def audit(self, *, quick: bool = False, since: float | None = None) -> Iterator[Json]:
        """Progress, last `{"audit": ...}`."""
        return self._lines("POST", "/audit", {"quick": quick, "since": since})

    def export(self, secret: Json, folder: str | None = None) -> Iterator[Json]:
        """`secret`: `{"passphrase": ...}` or `{"recovery_key": ...}`; `folder` is absolute."""
        return self._lines("POST", "/export", {**secret, "folder": folder})
