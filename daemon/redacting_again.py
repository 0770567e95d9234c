"""Stored documents under the rules of today: redacted again when the rules have grown.

Runs at unlock, a megabyte at a time through the vault's door, so that others get their turn, and
never while a night runs, which judges the same texts before and after. Killed anywhere, it goes on
at the next unlock. What an adapter learned before, it keeps; how many did is told in the event.
"""

import functools
from dataclasses import asdict, dataclass
from typing import Any

from daemon.collecting.redaction import redact_again
from daemon.collecting.redaction_rules import RULES_VERSION
from daemon.night_runner import NightRunner
from daemon.vault_door import Door
from storage.errors import DocumentTooLarge, RowDamaged, UnknownDocument
from storage.records import AdapterStatus
from storage.vault import Vault

KEPT_AS = "redacting_again"  # the setting that says how far it is
EVENT = "redacted_again"


@dataclass(frozen=True, slots=True, kw_only=True)
class _SoFar:
    """Kept in the same transaction as the documents that it counts."""

    rules_version: int = RULES_VERSION
    after: int | None = 0  # the last document that was looked at; None when all were
    documents: int = 0  # kept under older rules
    changed: int = 0  # in which something new was found
    redactions: int = 0
    items: tuple[int, ...] = ()  # of the changed ones


class RedactingAgain:
    """Brings what the vault holds under the rules of today."""

    def __init__(self, door: Door, nights: NightRunner) -> None:
        self._door = door
        self._nights = nights

    async def run(self) -> None:
        """Raises `StorageFull`; what is done by then stays done."""
        so_far = await self._door.call(_so_far)
        while so_far.after is not None:
            await self._nights.idle()
            so_far = await self._door.call(functools.partial(_one_page, so_far=so_far))


def _so_far(vault: Vault) -> _SoFar:
    try:
        kept: dict[str, Any] | None = vault.settings.get(KEPT_AS)
    except RowDamaged:
        kept = None
    if kept is None or kept.get("rules_version") != RULES_VERSION:
        return _SoFar()
    return _SoFar(**{**kept, "items": tuple(kept["items"])})


def _one_page(vault: Vault, *, so_far: _SoFar) -> _SoFar:
    assert so_far.after is not None
    page = vault.documents.outdated_page(RULES_VERSION, after=so_far.after)
    changed, redactions, items = so_far.changed, so_far.redactions, set(so_far.items)
    with vault.transaction():
        for number in page.ids:
            try:
                old = vault.documents.read(number)
                new = redact_again(old)
                vault.documents.replace(number, new)
            except (RowDamaged, UnknownDocument, DocumentTooLarge):
                continue  # `verify` names a damaged one
            if new.redactions:
                changed += 1
                redactions += len(new.redactions)
                items.add(old.item_id)
        after = _SoFar(
            after=page.next_after,
            documents=so_far.documents + len(page.ids),
            changed=changed,
            redactions=redactions,
            items=tuple(sorted(items)),
        )
        _keep(vault, before=so_far, after=after)
    return after


def _keep(vault: Vault, *, before: _SoFar, after: _SoFar) -> None:
    """How far it is, unless nothing was found; at the end the event."""
    if after.after is not None and after.documents == before.documents:
        return
    if after.after is None and after.documents:
        facts = {
            "rules_version": RULES_VERSION,
            "documents": after.documents,
            "changed": after.changed,
            "redactions": after.redactions,
            "adapters": _adapters_that_saw(vault, frozenset(after.items)),
        }
        vault.ledger.append_event(EVENT, facts)
    done = after if after.after is not None else _SoFar(after=None)
    vault.settings.put(KEPT_AS, asdict(done))


def _adapters_that_saw(vault: Vault, items: frozenset[int]) -> int:
    """Adapters that can still answer and learned or were judged on one of the items."""
    return sum(
        1
        for adapter in vault.shelf.list()
        if adapter.status is not AdapterStatus.WITHDRAWN and adapter.seen_items & items
    )
