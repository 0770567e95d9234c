"""Sealing of rows and keys: padding, AES-256-GCM, derived keys, keyed hashes.

Pure functions over bytes; knows nothing of SQLite, files or slots. The layouts are written down
in README.md and held by golden vectors in tests/storage/test_sealing.py.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.errors import SealBroken

FORMAT = 1  # of everything sealed: stands in every blob, every file header and every AAD

_FORMAT = bytes([FORMAT])

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
_BLOCK_BYTES = 64  # of SHA-256
HASH_BYTES = 16  # keyed hashes for look-ups: no collisions without the key, half the index
SMALLEST_PAD = 256
_PAD_MARK = b"\x80"

Mac = Callable[[bytes], bytes]  # a message's HMAC-SHA256 under a key that it holds


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def derive_key(key: bytes, purpose: str) -> bytes:
    """HKDF-SHA256: one key per purpose, so that no key does two things."""
    info = f"nightloom/{FORMAT}/{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)


def row_binding(table: str, row_id: int, column: str) -> bytes:
    """The AAD of a cell: format version | table | id | column."""
    return b"nightloom/%d|%s|%d|%s" % (FORMAT, table.encode(), row_id, column.encode())


def key_binding(table: str, key_id: int | str, wrapped_by: str) -> bytes:
    """The AAD of a wrapped key: it names the key and what wraps it (`epoch 3`, `root 1`)."""
    return f"nightloom/{FORMAT}|{table}|{key_id}|{wrapped_by}".encode()


# --------------------------------------------------------------------------- padding


def padded_length(length: int) -> int:
    """Padmé (Nikitin et al., PETS 2019): at most 12 % more, and few lengths to tell apart."""
    if length <= SMALLEST_PAD:
        return SMALLEST_PAD
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def pad(plaintext: bytes) -> bytes:
    """ISO/IEC 7816-4 (a mark, then zeros), up to `padded_length`."""
    marked = len(plaintext) + 1
    return b"".join((plaintext, _PAD_MARK, bytes(padded_length(marked) - marked)))


def unpad(padded: bytes) -> bytes:
    """Raises `SealBroken` when the mark is not there."""
    stripped = padded.rstrip(b"\0")
    if stripped[-1:] != _PAD_MARK:
        raise SealBroken
    return stripped[:-1]


# --------------------------------------------------------------------------- sealing


def seal(key: bytes | AESGCM, plaintext: bytes, binding: bytes) -> bytes:
    """format byte | nonce | ciphertext and tag, with a fresh random nonce."""
    return seal_with_nonce(key, secrets.token_bytes(NONCE_BYTES), plaintext, binding)


def seal_with_nonce(key: bytes | AESGCM, nonce: bytes, plaintext: bytes, binding: bytes) -> bytes:
    """For `seal` and for golden vectors only: a nonce must never meet a key twice."""
    cipher = key if isinstance(key, AESGCM) else AESGCM(key)
    return b"".join((_FORMAT, nonce, cipher.encrypt(nonce, plaintext, binding)))


def unseal(key: bytes | AESGCM, blob: bytes, binding: bytes) -> bytes:
    """Raises `SealBroken` for any other bytes, key, place or format."""
    if len(blob) < 1 + NONCE_BYTES + TAG_BYTES or blob[0] != FORMAT:
        raise SealBroken
    cipher = key if isinstance(key, AESGCM) else AESGCM(key)
    try:
        return cipher.decrypt(blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :], binding)
    except InvalidTag as error:
        raise SealBroken from error


def seal_row(key: bytes, plaintext: bytes, binding: bytes) -> bytes:
    """As `seal`, with the length padded away first."""
    return seal(key, pad(plaintext), binding)


def seal_each(
    count: int,
    keys: Iterable[bytes | AESGCM],
    plaintexts: Iterable[bytes],
    bindings: Iterable[bytes],
) -> Iterator[bytes]:
    """As `seal` for each of `count`; their nonces come from the system in one call.

    Lazy: what is made, sealed and written one by one stays in the processor's cache.
    """
    random = secrets.token_bytes(NONCE_BYTES * count)
    starts = range(0, len(random), NONCE_BYTES)
    nonces = (random[start : start + NONCE_BYTES] for start in starts)
    return map(seal_with_nonce, keys, nonces, plaintexts, bindings)


def unseal_row(key: bytes, blob: bytes, binding: bytes) -> bytes:
    return unpad(unseal(key, blob, binding))


# --------------------------------------------------------------------------- keyed hashes


def prepared_mac(key: bytes) -> Mac:
    """HMAC-SHA256 (RFC 2104) with the key taken in once: a third of the time of `hmac.digest`."""
    short = key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()
    block = short.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy

    def mac(message: bytes) -> bytes:
        within = inner()
        within.update(message)
        around = outer()
        around.update(within.digest())
        return around.digest()

    return mac


def framed(*parts: bytes) -> bytes:
    """Parts with their lengths: equal only for equal parts."""
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])
