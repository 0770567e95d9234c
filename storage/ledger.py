"""What was done: the log of the nights, and the events that an audit will ask for.

A night's record can grow while the night runs; an event is written once and chained to the one
before it, so that none can be taken out of the middle. Knows nothing of what the records say.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from storage.errors import UnknownNight
from storage.manifest import encode_row
from storage.sealed_database import SealedDatabase
from storage.sealed_table import Record, Row, SealedTable
from storage.sealing import derive_key

CHAIN_START = bytes(32)


class Ledger:
    """`clock`: seconds since the epoch, of an event."""

    def __init__(self, database: SealedDatabase, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._nights = SealedTable(database, "nights")
        self._events = SealedTable(database, "events")
        self._chain_key = derive_key(database.keys.audit, "audit/chain")

    # ----------------------------------------------------------------------- nights

    def begin_night(self, record: Mapping[str, Any]) -> int:
        return self._nights.insert(record)

    def update_night(self, night_id: int, record: Mapping[str, Any]) -> None:
        """Put `record` in place of the one that is there. Raises `UnknownNight`."""
        with self._database.transaction():
            self._nights.replace(self._night_row(night_id), record)

    def night(self, night_id: int) -> Record:
        """The record with its `id`. Raises `UnknownNight`, `RowDamaged`."""
        return self._nights.open(self._night_row(night_id)) | {"id": night_id}

    def nights(self, count: int | None = None) -> list[Record]:
        """Newest first, each with its `id`; a damaged one is left out, `verify` names it."""
        newest = self._nights.rows(order_by="id desc", limit=count)
        return [record | {"id": row["id"]} for row, record in self._nights.intact(newest)]

    def _night_row(self, night_id: int) -> Row:
        rows = self._nights.rows("id = ?", (night_id,))
        if not rows:
            raise UnknownNight(night_id=night_id)
        return rows[0]

    # ----------------------------------------------------------------------- events

    def append_event(self, kind: str, facts: Mapping[str, Any]) -> int:
        """Chained by a MAC to the event before it."""
        with self._database.transaction():
            last = self._events.rows(order_by="id desc", limit=1)
            previous = last[0]["chain"] if last else CHAIN_START
            # Through JSON first, so that the chain is over what a reader will see.
            record: Record = json.loads(
                json.dumps({"kind": kind, "at": round(self._clock(), 3), "facts": dict(facts)})
            )
            number = self._database.manifest.tally("events").last_id + 1
            return self._events.insert(record, chain=self._link(previous, number, record))

    def events(self) -> list[Record]:
        """`id`, `kind`, `at` (seconds since the epoch) and `facts`, oldest first."""
        return [record | {"id": row["id"]} for row, record in self._events.intact()]

    def broken_links(self) -> list[int]:
        """Events that do not follow from the one before them."""
        broken, previous = [], CHAIN_START
        opened = {row["id"]: record for row, record in self._events.intact()}
        for row in self._events.rows(order_by="id"):
            record = opened.get(row["id"])
            if record is None or not hmac.compare_digest(
                row["chain"], self._link(previous, row["id"], record)
            ):
                broken.append(row["id"])
            previous = row["chain"]
        return broken

    def _link(self, previous: bytes, number: int, record: Record) -> bytes:
        told = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
        return hmac.digest(
            self._chain_key, encode_row("events", (previous, number, told)), "sha256"
        )
