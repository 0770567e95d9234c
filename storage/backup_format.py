"""The bytes of a backup: a header in clear, and entries that lie in one sealed stream.

    header   "NLBK" | format (1) | zeros (3) | vault id (16) | public half of the recovery slot (32)
             | the file's key, sealed to it (80) | SHA-256 of all before (32)
    stream   as `file_stream.py` has it, under the file's key, bound to the header
    entry    u32 length of head | head (JSON with `kind` and `bytes`) | `bytes` bytes

The checksum tells damage from a wrong key and protects against nobody. Pure; knows neither vault
nor file system.
"""

import hashlib
import hmac
import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from storage.errors import BackupDamaged, BackupTooNew, NotABackup, SealBroken, WrongBackupKey
from storage.file_stream import Reader, unseal_stream
from storage.manifest import Cell
from storage.sealing import FORMAT, KEY_BYTES

HEADER = struct.Struct(">4sB3x16s32s80s32s")
LONGEST_HEAD = 64 * 1024
_MAGIC = b"NLBK"
_CHECKSUM_BYTES = 32
_LENGTH = struct.Struct(">I")
_INTEGER = struct.Struct(">q")
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_WORD = re.compile(r"[a-z_]{1,40}")

# The kinds of entries, in the order in which they come.
ABOUT, SLOTS, ROWS, FILE, END = "about", "slots", "rows", "file", "end"


# --------------------------------------------------------------------------- header


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What can be read without a key."""

    vault_id: bytes
    public: bytes  # of the recovery slot that the vault had
    sealed_key: bytes

    def encode(self) -> bytes:
        body = HEADER.pack(_MAGIC, FORMAT, self.vault_id, self.public, self.sealed_key, b"")
        body = body[:-_CHECKSUM_BYTES]
        return body + hashlib.sha256(body).digest()

    @classmethod
    def read(cls, source: Reader) -> "Header":
        """Raises `NotABackup`, `BackupTooNew` before it looks at the rest, `BackupDamaged`."""
        data = read_whole(source, HEADER.size)
        if data[: len(_MAGIC)] != _MAGIC:
            raise NotABackup
        version = data[len(_MAGIC)] if len(data) > len(_MAGIC) else 0
        if version > FORMAT:
            raise BackupTooNew(found=version, known=FORMAT)
        if len(data) < HEADER.size:
            raise BackupDamaged(what="it ends within its header")
        _, version, vault_id, public, sealed_key, checksum = HEADER.unpack(data)
        found = hashlib.sha256(data[:-_CHECKSUM_BYTES]).digest()
        if version != FORMAT or not hmac.compare_digest(checksum, found):
            raise BackupDamaged(what="its header was changed")
        return cls(vault_id=vault_id, public=public, sealed_key=sealed_key)

    @property
    def binding(self) -> bytes:
        """The stream's AAD: another header's stream does not open."""
        return b"nightloom/%d|backup|" % FORMAT + self.encode()


def seal_file_key(key: bytes, *, vault_id: bytes, public: bytes) -> Header:
    """Only the public half is needed, so a backup is made with nobody present."""
    recipient = X25519PublicKey.from_public_bytes(public)
    sealed = _SUITE.encrypt(key, recipient, _info(vault_id, public))
    return Header(vault_id=vault_id, public=public, sealed_key=sealed)


def unseal_file_key(header: Header, private: X25519PrivateKey) -> bytes:
    """Raises `WrongBackupKey`, or `BackupDamaged` when the key is right."""
    public = private.public_key().public_bytes_raw()
    if not hmac.compare_digest(public, header.public):
        raise WrongBackupKey
    try:
        key = _SUITE.decrypt(header.sealed_key, private, _info(header.vault_id, public))
    except (InvalidTag, ValueError) as error:
        raise BackupDamaged(what="its key does not open") from error
    if len(key) != KEY_BYTES:
        raise BackupDamaged(what="its key does not open")
    return key


def _info(vault_id: bytes, public: bytes) -> bytes:
    return b"nightloom/%d|backup|recovery|" % FORMAT + vault_id + b"|" + public


# --------------------------------------------------------------------------- entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The head of an entry; its bytes follow."""

    kind: str
    length: int
    facts: dict[str, Any] = field(repr=False)

    def word(self, name: str) -> str:
        """A short lower-case word among the facts. Raises `BackupDamaged`."""
        value = self.facts.get(name)
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            raise BackupDamaged(what="an entry has an impossible name")
        return value


def encode_entry(kind: str, payload: bytes = b"", **facts: Any) -> bytes:
    return encode_head(kind, len(payload), **facts) + payload


def encode_head(kind: str, length: int, **facts: Any) -> bytes:
    head = json.dumps({"kind": kind, "bytes": length, **facts}, separators=(",", ":")).encode()
    return _LENGTH.pack(len(head)) + head


def decode_head(head: bytes) -> Entry:
    """Raises `BackupDamaged`."""
    try:
        facts = json.loads(head)
        kind, length = facts.pop("kind"), facts.pop("bytes")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise BackupDamaged(what="an entry cannot be read") from None
    if not isinstance(kind, str) or type(length) is not int or length < 0:
        raise BackupDamaged(what="an entry cannot be read")
    return Entry(kind=kind, length=length, facts=facts)


class Entries:
    """The entries of a backup, one after the other. Read an entry's bytes before the next."""

    def __init__(self, source: Reader, header: Header, key: bytes) -> None:
        self._chunks = unseal_stream(key, source, header.binding)
        self._waiting = b""

    def next(self) -> Entry:
        """Raises `BackupDamaged`."""
        (length,) = _LENGTH.unpack(self.read(_LENGTH.size))
        if length > LONGEST_HEAD:
            raise BackupDamaged(what="an entry cannot be read")
        return decode_head(self.read(length))

    def read(self, count: int) -> bytes:
        return b"".join(self.read_chunks(count))

    def read_chunks(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes, each piece authenticated. Raises `BackupDamaged`."""
        while count:
            if not self._waiting:
                self._waiting = self._next_chunk()
            piece, self._waiting = self._waiting[:count], self._waiting[count:]
            count -= len(piece)
            yield piece

    def expect_end(self) -> None:
        """Raises `BackupDamaged` when something follows, or the stream's end is missing."""
        if self._waiting or self._take() is not None:
            raise BackupDamaged(what="something follows after its end")

    def _next_chunk(self) -> bytes:
        while not (chunk := self._take()):
            if chunk is None:
                raise BackupDamaged(what="it ends too early")
        return chunk

    def _take(self) -> bytes | None:
        try:
            return next(self._chunks, None)
        except SealBroken as error:
            raise BackupDamaged(what="a part was changed, or its end is missing") from error


def read_whole(source: Reader, count: int) -> bytes:
    """`count` bytes, fewer only at the end: pipes give what they have."""
    pieces = []
    while count and (piece := source.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


# --------------------------------------------------------------------------- rows


def encode_cells(row: Iterable[Cell]) -> bytes:
    """Each cell a letter for its type, and its value: `n`, `i` and 8 bytes, `s`/`b` and length."""
    parts = []
    for cell in row:
        if cell is None:
            parts.append(b"n")
        elif isinstance(cell, int):
            parts.append(b"i" + _INTEGER.pack(cell))
        else:
            letter, data = (b"b", cell) if isinstance(cell, bytes) else (b"s", cell.encode())
            parts.append(letter + _LENGTH.pack(len(data)) + data)
    return b"".join(parts)


def decode_rows(payload: bytes, columns: int) -> Iterator[tuple[Cell, ...]]:
    """Raises `BackupDamaged`."""
    position = 0
    try:
        while position < len(payload):
            row: list[Cell] = []
            for _ in range(columns):
                cell, position = _decode_cell(payload, position)
                row.append(cell)
            yield tuple(row)
    except (struct.error, ValueError, IndexError) as error:
        raise BackupDamaged(what="a row cannot be read") from error


def _decode_cell(payload: bytes, position: int) -> tuple[Cell, int]:
    letter, position = payload[position : position + 1], position + 1
    if letter == b"n":
        return None, position
    if letter == b"i":
        value: int = _INTEGER.unpack_from(payload, position)[0]
        return value, position + _INTEGER.size
    if letter not in (b"s", b"b"):
        raise ValueError
    (length,) = _LENGTH.unpack_from(payload, position)
    start, end = position + _LENGTH.size, position + _LENGTH.size + length
    if end > len(payload):
        raise ValueError
    data = payload[start:end]
    return (data if letter == b"b" else data.decode()), end
