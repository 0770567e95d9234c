"""The command line's side of `shelf_api.py`: one adapter shown, exported, deleted."""

from collections.abc import Iterator

from ipc.client_calls import AdminCalls, Json


class ShelfClient(AdminCalls):
    """One method per route. `adapter` is a digest or the first digits of one."""

    def adapter(self, adapter: str) -> Json:
        return self._object("POST", "/adapters/show", {"adapter": adapter})

    def export_adapter(self, adapter: str, secret: Json, folder: str) -> Iterator[Json]:
        """`secret`: `{"passphrase": ...}` or `{"recovery_key": ...}`; `folder` is absolute."""
        body = {"adapter": adapter, "folder": folder, **secret}
        return self._lines("POST", "/adapters/export", body)

    def delete_adapter(self, adapter: str, *, pinned: bool = False, now: bool = False) -> Json:
        """`answering` in the answer: somebody is still answered by it, to the end."""
        body = {"adapter": adapter, "pinned": pinned, "now": now}
        return self._object("POST", "/adapters/delete", body, timeout=None)
