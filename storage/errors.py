"""What can go wrong in the vault. The docstring of an error is the sentence that the user reads.

    StorageError
    ├── VaultUnavailable
    │   ├── VaultMissing
    │   ├── VaultExists
    │   ├── VaultBusy
    │   ├── VaultTooNew
    │   ├── VaultDamaged
    │   └── RolledBack
    ├── SecretRefused
    │   ├── WrongSecret
    │   ├── NoSuchSlot
    │   ├── WrongBackupKey
    │   ├── EmptyPassphrase
    │   ├── RecoveryKeyMistyped
    │   ├── KeeperUnavailable
    │   └── NoSlotOpens
    ├── SealBroken
    │   ├── RowDamaged
    │   ├── FileDamaged
    │   └── AdapterDamaged
    ├── NotKept
    │   ├── UnknownDocument
    │   ├── UnknownSource
    │   ├── UnknownNight
    │   ├── UnknownFile
    │   └── UnknownAdapter
    ├── SlotExists
    ├── LastSlot
    ├── BackupError
    │   ├── BackupNeedsRecoveryKey
    │   ├── BackupInterrupted
    │   ├── NotABackup
    │   ├── BackupTooNew
    │   ├── BackupDamaged
    │   └── BackupNotWhole
    ├── SourceExists
    ├── AdapterNotAdmitted
    ├── AdapterWithdrawn
    ├── AdapterInUse
    ├── AdapterPinned
    ├── AmbiguousAdapter
    ├── NothingToRollBack
    ├── DocumentTooLarge
    ├── StorageFull
    └── StorageFailing

Facts in braces are numbers, digests and fixed words of ours, never a user's text, name or path.
"""

# ruff: noqa: N818 - the names say what is the matter; an `Error` at the end of each adds nothing

import inspect


class StorageError(Exception):
    """The vault could not do that."""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        sentence = inspect.cleandoc(type(self).__doc__ or "")
        super().__init__(" ".join(sentence.format(**facts).split()))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.facts)


def _rebuild(kind: type[StorageError], facts: dict[str, object]) -> StorageError:
    return kind(**facts)


class VaultUnavailable(StorageError):
    """The vault cannot be opened."""


class VaultMissing(VaultUnavailable):
    """There is no vault here yet. Make one with `nightloom init`."""


class VaultExists(VaultUnavailable):
    """There is something in the vault's folder already; nothing was changed."""


class VaultBusy(VaultUnavailable):
    """The vault is open in another process. Only one nightloom service can use it at a time."""


class VaultTooNew(VaultUnavailable):
    """This vault has format {found} and this nightloom knows formats up to {known}. Upgrade
    nightloom to open it; nothing was changed."""


class VaultDamaged(VaultUnavailable):
    """The vault is damaged: {what}. Nothing was changed; put back a copy of the vault folder."""


class RolledBack(VaultUnavailable):
    """The vault's database is older than what this machine has seen, or did not come of it
    (generation {found}, seen {witnessed}). If you put an older copy back on purpose, remove the
    file `witness` in the vault's folder and unlock it yourself; that will be recorded."""


class SecretRefused(StorageError):
    """The vault stays locked."""


class WrongSecret(SecretRefused):
    """The {slot} does not open this vault."""


class NoSuchSlot(SecretRefused):
    """This vault has no {slot} slot."""


class WrongBackupKey(SecretRefused):
    """This recovery key does not open this backup. It takes the one that the vault had when the
    backup was made."""


class EmptyPassphrase(SecretRefused):
    """The passphrase is empty."""


class RecoveryKeyMistyped(SecretRefused):
    """The recovery key is mistyped: {problem}."""


class KeeperUnavailable(SecretRefused):
    """The {keeper} slot cannot be used now: {why}."""


class NoSlotOpens(SecretRefused):
    """No slot opens this vault by itself ({reasons}). Unlock it with `nightloom unlock`."""


class SealBroken(StorageError):
    """Sealed bytes do not open: they were changed, or belong somewhere else."""


class RowDamaged(SealBroken):
    """Row {row_id} of {table} does not open; it was changed, moved, or its key is gone."""


class FileDamaged(SealBroken):
    """A sealed file ({purpose} {number}) does not open; it was changed, cut or removed."""


class AdapterDamaged(SealBroken):
    """Adapter {sha12} is damaged and stays out of use; the others are not concerned."""


class NotKept(StorageError):
    """The vault does not hold that."""


class UnknownDocument(NotKept):
    """There is no document {document_id} in the vault."""


class UnknownSource(NotKept):
    """There is no source with this name."""


class UnknownNight(NotKept):
    """There is no night {night_id} in the log."""


class UnknownFile(NotKept):
    """There is no such sealed file among the {purpose}."""


class UnknownAdapter(NotKept):
    """There is no such adapter on the shelf. `nightloom adapters list` shows those there are."""


class SlotExists(StorageError):
    """This vault has a {slot} slot already. Remove it first with `nightloom key remove`."""


class LastSlot(StorageError):
    """The {slot} slot is the last one that opens this vault, so it stays. Add another first with
    `nightloom key add`."""


class BackupError(StorageError):
    """The backup could not be made or restored."""


class BackupNeedsRecoveryKey(BackupError):
    """This vault has no recovery key, and nothing else opens a backup. Make one with
    `nightloom key add recovery`, then back up again."""


class BackupInterrupted(BackupError):
    """The vault was closed while the backup was being made. Unlock it and back up again."""


class NotABackup(BackupError):
    """This file is no backup. Name the file that `nightloom backup` wrote; nothing was
    restored."""


class BackupTooNew(BackupError):
    """This backup has format {found} and this nightloom knows formats up to {known}. Upgrade
    nightloom to restore it; nothing was restored."""


class BackupDamaged(BackupError):
    """The backup is damaged: {what}. Nothing was restored; take another copy of it."""


class BackupNotWhole(BackupError):
    """The vault was damaged already when this backup was made ({tables} tables, {rows} rows and
    {files} files do not hold), so nothing was restored. Take an older backup, or give
    --even-if-damaged to restore what opens."""


class SourceExists(StorageError):
    """A source with this name exists already."""


class AdapterNotAdmitted(StorageError):
    """The gate admitted adapter {admitted}, but the bytes are those of {found}; nothing was
    published."""


class AdapterWithdrawn(StorageError):
    """Adapter {sha12} was withdrawn and cannot be used again; `nightloom adapters list` shows
    those that can."""


class AdapterInUse(StorageError):
    """Adapter {sha12} is the one that answers now and is not deleted; put another in use first,
    with `nightloom adapters use` or `nightloom adapters rollback`."""


class AdapterPinned(StorageError):
    """Adapter {sha12} is kept to go back to, when the newer ones are rolled back or have to be
    forgotten, and was not deleted; give --pinned to delete it all the same."""


class AmbiguousAdapter(StorageError):
    """More than one adapter begins like that; give more digits of the digest."""


class NothingToRollBack(StorageError):
    """No adapter is in use, so there is nothing to roll back from."""


class DocumentTooLarge(StorageError):
    """A document of {found_bytes} bytes is larger than the {limit_bytes} that a row may hold."""


class StorageFull(StorageError):
    """The disk is full; nothing of this change was kept. Free some space and try again."""


class StorageFailing(StorageError):
    """The disk did not take what was written, or give what was asked; nothing of this change was
    kept. See whether it is full up to your quota, read-only or broken."""
