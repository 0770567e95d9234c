"""What opens the vault: the secrets that a person holds, and the root key they lead to.

A secret gives an X25519 key pair; the root key is sealed to the public half with HPKE (RFC 9180,
DHKEM(X25519), HKDF-SHA256, AES-256-GCM), so that a new root can be sealed while nobody is there.
Knows nothing of the slot file and of what the root protects. Key bytes are never in a `repr`.
"""

import threading
import unicodedata
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.errors import EmptyPassphrase, SealBroken, VaultDamaged
from storage.recovery_key import RecoveryKey
from storage.sealing import FORMAT, KEY_BYTES, new_key

__all__ = ["Argon2Parameters", "Passphrase", "RecoveryKey", "RootKey", "Secret"]

SALT_BYTES = 16
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

# Bounds for parameters that are read from a file: a hostile file can cost 1 GiB and seconds.
MOST_MEMORY_KIB = 1024 * 1024
MOST_TIME_COST = 16
MOST_LANES = 16
_one_stretching = threading.Lock()  # many attempts at once cost the memory of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Parameters:
    """Cost of trying one passphrase. The defaults take about 0.5 s and 256 MiB."""

    time_cost: int = 3
    memory_kib: int = 256 * 1024
    lanes: int = 4

    def check(self) -> None:
        """Raises `VaultDamaged` outside the bounds."""
        bounds = (
            1 <= self.time_cost <= MOST_TIME_COST
            and 1 <= self.lanes <= MOST_LANES
            and 8 * self.lanes <= self.memory_kib <= MOST_MEMORY_KIB
        )
        if not bounds:
            raise VaultDamaged(what="slots.json asks for an Argon2 cost out of bounds")


DEFAULT_ARGON2 = Argon2Parameters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passphrase:
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise EmptyPassphrase


Secret = Passphrase | RecoveryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """32 random bytes at the top; `number` grows by one at each rotation."""

    number: int
    raw: bytes = field(repr=False)

    @classmethod
    def generate(cls, number: int) -> "RootKey":
        return cls(number=number, raw=new_key())

    @property
    def label(self) -> str:
        """How bindings name this root."""
        return f"root {self.number}"


def passphrase_key_pair(
    passphrase: Passphrase, *, salt: bytes, vault_id: bytes, parameters: Argon2Parameters
) -> X25519PrivateKey:
    """Argon2id over the NFC form, so that two keyboards' accents are the same passphrase."""
    parameters.check()
    stretching = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=parameters.time_cost,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
        ad=b"nightloom/%d/slot/passphrase/" % FORMAT + vault_id,
    )
    with _one_stretching:
        stretched = stretching.derive(
            unicodedata.normalize("NFC", passphrase.text).encode("utf-8", "surrogatepass")
        )
    return X25519PrivateKey.from_private_bytes(stretched)


def recovery_key_pair(key: RecoveryKey, *, vault_id: bytes) -> X25519PrivateKey:
    """168 random bits need no stretching."""
    info = f"nightloom/{FORMAT}/slot/recovery".encode()
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=vault_id, info=info)
    return X25519PrivateKey.from_private_bytes(hkdf.derive(key.entropy))


def seal_root(root: RootKey, *, public: bytes, kind: str, vault_id: bytes) -> bytes:
    """To whoever holds the private half."""
    info = _slot_info(root.number, public=public, kind=kind, vault_id=vault_id)
    return _SUITE.encrypt(root.raw, X25519PublicKey.from_public_bytes(public), info)


def unseal_root(
    number: int, sealed: bytes, *, private: X25519PrivateKey, kind: str, vault_id: bytes
) -> RootKey:
    """Raises `SealBroken`."""
    public = private.public_key().public_bytes_raw()
    info = _slot_info(number, public=public, kind=kind, vault_id=vault_id)
    try:
        raw = _SUITE.decrypt(sealed, private, info)
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error
    if len(raw) != KEY_BYTES:
        raise SealBroken
    return RootKey(number=number, raw=raw)


def _slot_info(number: int, *, public: bytes, kind: str, vault_id: bytes) -> bytes:
    head = f"nightloom/{FORMAT}|slots|{kind}|root {number}|".encode()
    return head + vault_id + b"|" + public
