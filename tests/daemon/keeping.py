"""A keeper in memory, for tests of what is done with keepers; it opens and locks as told."""

from collections.abc import Mapping
from typing import Any

from storage.errors import KeeperUnavailable

WHY = "it is locked for the test"


class MemoryKeeper:
    """See `storage.unattended.Keeper`."""

    def __init__(self, kind: str = "keyring") -> None:
        self.kind = kind
        self.locked = False
        self.kept: dict[bytes, bytes] = {}
        self.fetches = 0

    def problem(self) -> str | None:
        return WHY if self.locked else None

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        self._check()
        self.kept[vault_id] = private
        return {}

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        self.fetches += 1
        self._check()
        return self.kept.get(vault_id, b"")

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        self._check()
        self.kept.pop(vault_id, None)

    def _check(self) -> None:
        if self.locked:
            raise KeeperUnavailable(keeper=self.kind, why=WHY)
