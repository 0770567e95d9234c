"""The command line's side of `keys_api.py`: the key slots, unlocking and locking, rotation."""

from collections.abc import Iterator
from urllib.parse import quote

from ipc.client_calls import AdminCalls, Json


class KeysClient(AdminCalls):
    """One method per route. `secret`: `{"passphrase": ...}` or `{"recovery_key": ...}`."""

    def unlock(self, secret: Json | None = None) -> Json:
        """Without a secret, by a slot that opens with nobody there."""
        return self._object("POST", "/unlock", secret or {}, timeout=None)

    def lock(self) -> Json:
        """Returns when a night has saved itself and the engine is gone."""
        return self._object("POST", "/lock", timeout=None)

    def slots(self) -> list[Json]:
        return self._list("/keys")

    def add_slot(self, kind: str, secret: Json, new_passphrase: str | None = None) -> Json:
        """The answer for a recovery slot holds the new key, which is shown only this once."""
        body = {"kind": kind, "new_passphrase": new_passphrase, **secret}
        return self._object("POST", "/keys", body, timeout=None)

    def remove_slot(self, kind: str) -> Json:
        return self._object("DELETE", f"/keys/{quote(kind, safe='')}", timeout=None)

    def rotate(self) -> Iterator[Json]:
        """Progress as it comes, last `{"rotated": ...}`; leaving it leaves the rotation at work."""
        return self._lines("POST", "/keys/rotate")
