"""What those outside the database say about how new it is, asked while the vault is open."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from storage.keyring_keeper import KEYRING

if TYPE_CHECKING:
    from storage.vault import Vault


class Outsider(StrEnum):
    FILE = "file"  # `witness`, beside the database
    KEYRING = "keyring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`agrees`: the database is what was seen, or what came of it; None where nothing is said."""

    outsider: Outsider
    agrees: bool | None


def statements(vault: "Vault") -> list[Statement]:
    """Of the file always; of the OS keyring where the vault has a slot in it.

    Raises `VaultDamaged` when the slot file cannot be read.
    """
    database = vault._database
    seen = database.witnessed()
    generation = database.manifest.generation
    found = [Statement(outsider=Outsider.FILE, agrees=None if seen is None else seen <= generation)]
    if vault._slots.has(KEYRING):
        outside = vault._keyring_witness.read()
        agrees = None if outside is None else vault._keyring_witness.follows(outside)
        found.append(Statement(outsider=Outsider.KEYRING, agrees=agrees))
    return found
