"""Keyed hashes that find things without saying what they are.

The lookup key is random and survives rotations, so that a tombstone keeps its meaning. One derived
key per kind of thing: the same words as a source and as a name do not meet.
"""

import unicodedata

from storage.sealing import derive_key, keyed_hash


class Lookup:
    """Hashes of 16 bytes under one vault's lookup key."""

    def __init__(self, key: bytes) -> None:
        self._item = derive_key(key, "lookup/item")
        self._content = derive_key(key, "lookup/content")
        self._source = derive_key(key, "lookup/source")
        self._name = derive_key(key, "lookup/name")
        self._stamp = derive_key(key, "lookup/stamp")

    def item(self, source: str, path: str) -> bytes:
        return keyed_hash(self._item, _encode(source), _encode(path))

    def content(self, text: str) -> bytes:
        """Over the NFC form: one text typed on two systems is one text."""
        return keyed_hash(self._content, _encode(unicodedata.normalize("NFC", text)))

    def source(self, name: str) -> bytes:
        return keyed_hash(self._source, _encode(name))

    def name(self, kind: str, name: str) -> bytes:
        return keyed_hash(self._name, _encode(kind), _encode(name))

    def stamp(self, item_hash: bytes, *numbers: int) -> bytes:
        return keyed_hash(self._stamp, item_hash, *(b"%d" % number for number in numbers))


def _encode(text: str) -> bytes:
    """File names may hold lone surrogates; they are kept apart, not refused."""
    return text.encode("utf-8", "surrogatepass")
