"""A backup: one state of an open vault as one sealed stream that the recovery key opens.

Made with nobody present, for it is sealed to the public half of the recovery slot. It holds the
rows as they are sealed already, the sealed files and the slots that do not depend on the machine,
and all of that is sealed once more, so that what is in clear in a vault is not in clear here.
Memory stays flat; nothing is written to the disk.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from storage.backup_format import (
    ABOUT,
    END,
    FILE,
    ROWS,
    SLOTS,
    encode_cells,
    encode_entry,
    encode_head,
    seal_file_key,
)
from storage.errors import BackupNeedsRecoveryKey
from storage.file_stream import seal_stream
from storage.keys import RootKey
from storage.sealing import new_key
from storage.slots import PASSPHRASE, RECOVERY, SlotFile, authenticated, encode_slots
from storage.snapshot import Snapshot

PORTABLE_SLOTS = (PASSPHRASE, RECOVERY)  # the others open on one machine only
_ROWS_BYTES = 1 << 20  # of rows in one entry, about
BACKUP_MADE = "backup_made"  # the kind of the event that records it


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts:
    """What a backup holds; counts only."""

    generation: int
    day: str  # of its making, ISO date
    documents: int  # current versions
    adapters: int  # those that have weights
    files: int
    about_bytes: int
    slots: tuple[str, ...]  # their kinds


class Backup:
    """A backup under way: take `chunks` to their end, then `close` it.

    `chunks` may run on any thread, one at a time, while the vault is in use.
    """

    def __init__(self, snapshot: Snapshot, slots: SlotFile, root: RootKey, *, day: str) -> None:
        """For `Vault.backup`. Raises `BackupNeedsRecoveryKey`."""
        portable = portable_slots(slots, root)
        public = next((slot.public for slot in portable.slots if slot.kind == RECOVERY), None)
        if public is None:
            raise BackupNeedsRecoveryKey
        self._snapshot = snapshot
        self._taken = False
        self._slots = encode_slots(portable)
        self._key = new_key()
        self._header = seal_file_key(self._key, vault_id=slots.vault_id, public=public)
        self.facts = BackupFacts(
            generation=snapshot.generation,
            day=day,
            documents=snapshot.documents,
            adapters=snapshot.adapters,
            files=len(snapshot.files),
            about_bytes=snapshot.about_bytes,
            slots=tuple(slot.kind for slot in portable.slots),
        )

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes, in pieces of about 64 KiB; once. Raises `BackupInterrupted`."""
        if self._taken:
            raise RuntimeError("the file's key seals one stream in its life")
        self._taken = True
        yield self._header.encode()
        yield from seal_stream(self._key, self._entries(), self._header.binding)

    def close(self) -> None:
        """Closing twice is no mistake."""
        self._snapshot.close()

    def __enter__(self) -> "Backup":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _entries(self) -> Iterator[bytes]:
        yield encode_entry(ABOUT, **dataclasses.asdict(self.facts))
        yield encode_entry(SLOTS, self._slots)
        for table, columns in self._snapshot.tables().items():
            yield from self._rows(table, columns)
        for file in self._snapshot.files:
            if file.descriptor is not None:
                name = {"purpose": file.purpose, "disk_name": file.disk_name}
                yield encode_head(FILE, file.length, **name)
                yield from self._snapshot.read_file(file)
        yield encode_entry(END)

    def _rows(self, table: str, columns: tuple[str, ...]) -> Iterator[bytes]:
        waiting: list[bytes] = []
        length = 0

        def entry() -> Iterator[bytes]:
            yield encode_head(ROWS, length, table=table, columns=columns)
            yield from waiting

        for row in self._snapshot.rows(table, columns):
            waiting.append(encode_cells(row))
            length += len(waiting[-1])
            if length >= _ROWS_BYTES:
                yield from entry()
                waiting, length = [], 0
        if waiting:
            yield from entry()


def portable_slots(slots: SlotFile, root: RootKey) -> SlotFile:
    """The slots that open on any machine, with the root that is in use."""
    kept = tuple(
        dataclasses.replace(slot, roots={root.number: slot.roots[root.number]})
        for slot in slots.slots
        if slot.kind in PORTABLE_SLOTS and root.number in slot.roots
    )
    return authenticated(slots.vault_id, kept, {root.number: root})
