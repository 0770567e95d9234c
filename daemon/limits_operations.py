"""What the command line asks about retention, quotas, exclusions and pauses, done.

Implements `ipc.limits_api.LimitsBackend`.
"""

import functools
from typing import Any

from daemon.collecting.collector import Collector
from daemon.collecting.reports import SourceState
from daemon.errors import VaultIsLocked
from daemon.limits import Limits
from daemon.operation_errors import said
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from storage.records import SourceSettings
from storage.vault import Vault

Json = dict[str, Any]

MOST_DAYS = 36_500


class LimitsOperations:
    """A part of `Operations`."""

    def __init__(self, *, vault: VaultDoor, collector: Collector, limits: Limits) -> None:
        self._vault = vault
        self._collector = collector
        self._limits = limits

    # ------------------------------------------------------------------- exclusions

    async def exclusions(self) -> Json:
        with said():
            return {"globs": await self._limits.exclusions.list()}

    async def exclude(self, glob: str) -> Json:
        with said():
            kept, removed = await self._limits.exclusions.add(glob)
        return {"glob": kept, "removed_documents": removed}

    async def include_again(self, glob: str) -> Json:
        with said():
            await self._limits.exclusions.remove(glob)
        return {"glob": glob}

    # ------------------------------------------------------------------- retention

    async def retention(self) -> Json:
        with said():
            sources = await self._vault.call(lambda vault: vault.sources.list())
        shown = [{"name": source.name, "days": source.retention_days} for source in sources]
        return {"sources": shown, "waits": self._limits.retention.waits}

    async def count_older(self, days: int, source: str | None) -> Json:
        _check_days(days)
        with said():
            if source is not None:
                await self._vault.call(lambda vault: vault.sources.get(source))
            return {"documents": await self._limits.retention.count(days, source)}

    async def set_retention(self, days: int | None, source: str | None) -> Json:
        """What is older leaves the vault now, or when the night that runs has ended."""
        if days is not None:
            _check_days(days)
        with said():
            change = functools.partial(_set_retention, days=days, name=source)
            changed = await self._vault.call(change)
            for settings in changed:
                self._collector.change(settings)
            removed = await self._limits.retention.apply_or_wait() if days is not None else 0
        return {
            "sources": [settings.name for settings in changed],
            "days": days,
            "removed_documents": removed,
            "waits": self._limits.retention.waits if days is not None else None,
        }

    # ------------------------------------------------------------------- pauses

    async def pause_source(self, name: str) -> Json:
        """Nothing of it is watched or read until it is resumed; a restart changes nothing."""
        with said():
            await self._vault.call(functools.partial(_set_paused, name=name, paused=True))
            self._collector.pause(name)
        return {"name": name, "state": SourceState.PAUSED.value}

    async def resume_source(self, name: str) -> Json:
        with said():
            await self._vault.call(functools.partial(_set_paused, name=name, paused=False))
            self._collector.resume(name)
        return {"name": name, "state": self._collector.report(name).state.value}

    async def pause(self, seconds: float | None) -> Json:
        with said():
            await self._limits.pausing.pause(seconds)
        return self._paused()

    async def resume(self) -> Json:
        with said():
            was = await self._limits.pausing.resume()
        return {**self._paused(), "was_paused": was}

    def _paused(self) -> Json:
        pause = self._limits.pausing.now
        return {"paused": pause is not None, "until": pause.until if pause else None}

    # ------------------------------------------------------------------- for `status`

    async def facts(self) -> Json:
        """What `status` shows of limits; with a locked vault most of it is not known."""
        full = any(one.state is SourceState.QUOTA for one in self._collector.reports())
        facts: Json = {
            **self._paused(),
            "vault_bytes": None,
            "vault_limit_bytes": self._limits.vault_bytes,
            "vault_is_full": full,
            "adapters_bytes": None,
            "adapters_limit_bytes": self._limits.adapters_bytes,
            "retention_waits": self._limits.retention.waits,
        }
        try:
            sizes = await self._vault.call(_sizes)
        except VaultIsLocked:
            return facts
        return facts | sizes


def _check_days(days: int) -> None:
    if not 1 <= days <= MOST_DAYS:
        raise OperationError("usage", f"The days have to be from 1 to {MOST_DAYS:,}.")


def _set_retention(vault: Vault, *, days: int | None, name: str | None) -> list[SourceSettings]:
    with vault.transaction():
        names = [one.name for one in vault.sources.list()] if name is None else [name]
        return [vault.sources.change(one, retention_days=days) for one in names]


def _set_paused(vault: Vault, *, name: str, paused: bool) -> None:
    with vault.transaction():
        if vault.sources.get(name).paused is not paused:
            vault.sources.change(name, paused=paused)
            kind = "source_paused" if paused else "source_resumed"
            vault.ledger.append_event(kind, {"source": name})


def _sizes(vault: Vault) -> Json:
    adapters = vault.adapter_quota.used_bytes()
    return {"vault_bytes": vault.database_bytes(), "adapters_bytes": adapters}
