"""Which adapter is meant: a digest, the first digits of one, or the one in use."""

from storage.errors import UnknownAdapter
from storage.records import PublishedAdapter
from storage.vault import Vault

IN_USE = "personal"  # as clients call it
VERSION = "personal@"  # what they put before a digest


def adapter_named(vault: Vault, name: str) -> PublishedAdapter:
    """Raises `UnknownAdapter`, `AmbiguousAdapter`, `AdapterDamaged`."""
    if name != IN_USE:
        return vault.shelf.get(name.removeprefix(VERSION).lower())
    current = vault.shelf.current()
    if current is None:
        raise UnknownAdapter
    return current
