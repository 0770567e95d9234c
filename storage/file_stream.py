"""Sealing of files: a stream of 64 KiB chunks that cannot be cut, reordered or mixed.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): AES-256-GCM with the nonce
prefix | chunk counter | final flag. Pure over bytes and chunks; knows no file system.

    header   "NLSF" | format (1) | log2 of the chunk size (1) | zeros (3) | nonce prefix (7)
    chunk    ciphertext of 65,536 bytes (the last: 0 to 65,536) and its tag of 16
"""

import secrets
import struct
from collections.abc import Iterable, Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.errors import SealBroken
from storage.sealing import FORMAT, TAG_BYTES

CHUNK_BYTES = 1 << 16
PREFIX_BYTES = 7
_CHUNK_BITS = 16
_MAGIC = b"NLSF"
_HEADER = struct.Struct(">4sBB3x7s")
_MOST_CHUNKS = 1 << 32


class Reader(Protocol):
    def read(self, count: int, /) -> bytes: ...


def seal_stream(key: bytes, chunks: Iterable[bytes], binding: bytes) -> Iterator[bytes]:
    """Header and sealed chunks. `key` must be fresh: it seals one stream in its life."""
    yield from seal_stream_with_prefix(key, secrets.token_bytes(PREFIX_BYTES), chunks, binding)


def seal_stream_with_prefix(
    key: bytes, prefix: bytes, chunks: Iterable[bytes], binding: bytes
) -> Iterator[bytes]:
    """For `seal_stream` and for golden vectors only."""
    header = _HEADER.pack(_MAGIC, FORMAT, _CHUNK_BITS, prefix)
    yield header
    cipher, aad = AESGCM(key), header + binding
    counter, waiting = 0, b""
    for piece in _even_chunks(chunks):
        if counter or waiting:
            yield cipher.encrypt(_nonce(prefix, counter, final=False), waiting, aad)
            counter += 1
        waiting = piece
    yield cipher.encrypt(_nonce(prefix, counter, final=True), waiting, aad)


def unseal_stream(key: bytes, source: Reader, binding: bytes) -> Iterator[bytes]:
    """The plaintext in chunks, each one authenticated before it is given out.

    Raises `SealBroken` at the first chunk that does not open, at a missing end and at bytes after
    the end. A newer vault was refused at its door, so another format here is damage.
    """
    header = source.read(_HEADER.size)
    if len(header) != _HEADER.size or header[: len(_MAGIC)] != _MAGIC:
        raise SealBroken
    _, version, chunk_bits, prefix = _HEADER.unpack(header)
    if version != FORMAT or chunk_bits != _CHUNK_BITS:
        raise SealBroken
    cipher, aad = AESGCM(key), header + binding
    sealed_bytes = CHUNK_BYTES + TAG_BYTES
    counter, sealed = 0, source.read(sealed_bytes)
    while True:
        following = source.read(sealed_bytes) if len(sealed) == sealed_bytes else b""
        nonce = _nonce(prefix, counter, final=not following)
        try:
            yield cipher.decrypt(nonce, sealed, aad)
        except InvalidTag as error:
            raise SealBroken from error
        if not following:
            return
        counter, sealed = counter + 1, following


def _nonce(prefix: bytes, counter: int, *, final: bool) -> bytes:
    if counter >= _MOST_CHUNKS:
        raise SealBroken
    return b"%b%b%c" % (prefix, counter.to_bytes(4, "big"), final)


def _even_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of any size, cut and joined to `CHUNK_BYTES`; the last one may be shorter."""
    waiting = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            room = CHUNK_BYTES - len(waiting)
            waiting += view[:room]
            view = view[room:]
            if len(waiting) == CHUNK_BYTES:
                yield bytes(waiting)
                waiting.clear()
    if waiting:
        yield bytes(waiting)
