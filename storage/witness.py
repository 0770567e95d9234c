"""The generation of the database as seen from outside it, so that an older copy is noticed.

A small file of two records, written in turn after each commit and never synced: it may lag behind
the database (killed between the two, or the power went), and that is no roll back. It never runs
ahead, because a commit is on the medium before its record is written. It lies beside the database,
so it notices an old `vault.db` that was put back alone, not an old copy of the whole folder.
"""

import contextlib
import hmac
import os
import struct
from pathlib import Path

from storage.durable import create_private, sync_file, sync_folder
from storage.sealing import FORMAT

_MAGIC = b"NLWT"
_BODY = struct.Struct(">4sB3xQ")
RECORD_BYTES = 64  # body, 32 bytes of MAC, zeros


def encode_record(key: bytes, generation: int) -> bytes:
    body = _BODY.pack(_MAGIC, FORMAT, generation)
    return (body + hmac.digest(key, body, "sha256")).ljust(RECORD_BYTES, b"\0")


def decode_record(key: bytes, record: bytes) -> int | None:
    """The generation, or None for anything that this key did not write."""
    if len(record) != RECORD_BYTES:
        return None
    generation: int = _BODY.unpack_from(record)[2]
    genuine = hmac.compare_digest(record, encode_record(key, generation))
    return generation if genuine else None


class Witness:
    """The file; open as long as the vault is."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self._descriptor: int | None = None

    def read(self) -> int | None:
        """The newest generation seen; None when the file is missing or holds no true record."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        records = (data[i : i + RECORD_BYTES] for i in (0, RECORD_BYTES))
        seen = [decode_record(self._key, record) for record in records]
        return max((generation for generation in seen if generation is not None), default=None)

    def write(self, generation: int) -> None:
        """After the commit. A failure is not the caller's: the next commit writes again."""
        with contextlib.suppress(OSError):
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            record = encode_record(self._key, generation)
            os.pwrite(self._descriptor, record, generation % 2 * RECORD_BYTES)

    def start_anew(self, generation: int) -> None:
        """Replace whatever is there; synced."""
        self.close()
        self._path.unlink(missing_ok=True)
        descriptor = create_private(self._path)
        try:
            os.pwrite(descriptor, bytes(2 * RECORD_BYTES), 0)
            record = encode_record(self._key, generation)
            os.pwrite(descriptor, record, generation % 2 * RECORD_BYTES)
            sync_file(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
