"""What the vault should hold: per table a count, a set hash and the last id, and a generation.

The set hash is the sum of HMACs of the rows modulo 2**256, so that a change costs what it changes
and not the whole. The sums are kept sealed: who cannot see them cannot look for rows that cancel
out. Knows nothing of SQLite; it is given rows as tuples in the order of `schema.COVERED`.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.errors import SealBroken
from storage.sealing import Mac, prepared_mac

_MODULUS = 1 << 256
_HEAD = struct.Struct(">QH")  # generation, number of tables
_TALLY = struct.Struct(">QQ32s")  # count, last id, set hash

Cell = int | str | bytes | None


def encode_row(table: str, cells: Iterable[Cell]) -> bytes:
    """Injective: every cell carries its type and its length."""
    parts = [table.encode(), b"|"]
    for cell in cells:
        if isinstance(cell, int):
            parts.append(b"i%d;" % cell)
        elif isinstance(cell, bytes):
            parts.append(b"b%d:%b" % (len(cell), cell))
        elif cell is None:
            parts.append(b"n;")
        else:
            text = cell.encode()
            parts.append(b"s%d:%b" % (len(text), text))
    return b"".join(parts)


@dataclass(slots=True)
class Tally:
    count: int = 0
    last_id: int = 0  # the largest that was ever given out: ids are not used twice
    total: int = field(default=0, repr=False)

    def copy(self) -> "Tally":
        return Tally(self.count, self.last_id, self.total)


@dataclass(slots=True)
class Manifest:
    """The running state; `SealedDatabase` seals it into the database at each commit."""

    key: bytes = field(repr=False)
    generation: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    _prepared: Mac | None = field(default=None, repr=False, compare=False)

    def element(self, table: str, cells: Iterable[Cell]) -> int:
        return int.from_bytes(self._mac(encode_row(table, cells)), "big")

    @property
    def _mac(self) -> Mac:
        if self._prepared is None:
            self._prepared = prepared_mac(self.key)
        return self._prepared

    def tally(self, table: str) -> Tally:
        return self.tallies.setdefault(table, Tally())

    def add(self, table: str, cells: Iterable[Cell]) -> None:
        tally = self.tally(table)
        tally.count += 1
        tally.total = (tally.total + self.element(table, cells)) % _MODULUS

    def add_encoded(self, table: str, rows: Iterable[bytes]) -> None:
        """As `add` for each of these rows, of which `encode_row` or its like has made bytes."""
        tally, mac, of_bytes = self.tally(table), self._mac, int.from_bytes
        count, total = 0, tally.total
        for row in rows:
            count += 1
            total += of_bytes(mac(row), "big")
        tally.count += count
        tally.total = total % _MODULUS

    def remove(self, table: str, cells: Iterable[Cell]) -> None:
        tally = self.tally(table)
        tally.count -= 1
        tally.total = (tally.total - self.element(table, cells)) % _MODULUS

    def next_ids(self, table: str, count: int = 1) -> int:
        """The first of `count` ids that nobody had before."""
        tally = self.tally(table)
        first = tally.last_id + 1
        tally.last_id += count
        return first

    def count_of(self, table: str, rows: Iterable[tuple[Cell, ...]]) -> Tally:
        """What the tally of these rows would be."""
        found = Manifest(key=self.key)
        found.add_encoded(table, (encode_row(table, row) for row in rows))
        return found.tally(table)

    def copy(self) -> "Manifest":
        tallies = {table: tally.copy() for table, tally in self.tallies.items()}
        return Manifest(self.key, self.generation, tallies, self._prepared)

    def encode(self) -> bytes:
        """generation, then per table in order of name: its name, count, last id and set hash."""
        parts = [_HEAD.pack(self.generation, len(self.tallies))]
        for table, tally in sorted(self.tallies.items()):
            name = table.encode()
            parts.append(bytes([len(name)]) + name)
            total = tally.total.to_bytes(32, "big")
            parts.append(_TALLY.pack(max(tally.count, 0), tally.last_id, total))
        return b"".join(parts)

    @classmethod
    def decode(cls, key: bytes, data: bytes) -> "Manifest":
        """Raises `SealBroken` for bytes that are no manifest."""
        try:
            generation, tables = _HEAD.unpack_from(data)
            position = _HEAD.size
            tallies: dict[str, Tally] = {}
            for _ in range(tables):
                end = position + 1 + data[position]
                count, last_id, total = _TALLY.unpack_from(data, end)
                table = data[position + 1 : end].decode()
                tallies[table] = Tally(count, last_id, int.from_bytes(total, "big"))
                position = end + _TALLY.size
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise SealBroken from error
        return cls(key, generation, tallies)
