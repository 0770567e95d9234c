"""Opening the vault with nobody there, and what is told of it: which slot opened, or why each
did not. Asks nobody anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.errors import KeeperUnavailable, NoSlotOpens, StorageError
from storage.slot_keeping import slot_facts
from storage.slots import PASSPHRASE, read_slots
from storage.unattended import WRONG_KEY, Keeper
from storage.vault import Vault
from storage.vault_layout import SLOTS

NEEDS_YOU = "it needs you"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedVault:
    vault: Vault = field(repr=False)
    by: str  # the kind of the slot


@dataclass(frozen=True, slots=True, kw_only=True)
class InVain:
    """A try that opened nothing."""

    sentence: str
    has_passphrase: bool = False  # so that it is worth asking somebody for it
    reasons: Mapping[str, str] = field(default_factory=dict)  # by kind of slot


class _Noting:
    """A keeper whose answers are noted."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.gave = False
        self.why: str | None = None

    @property
    def kind(self) -> str:
        return self._keeper.kind

    def problem(self) -> str | None:
        return self._keeper.problem()

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        return self._keeper.keep(vault_id, private)

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        try:
            key = self._keeper.fetch(vault_id, facts)
        except KeeperUnavailable as error:
            self.why = str(error.facts["why"])
            raise
        self.gave, self.why = True, WRONG_KEY  # unless the vault opens now
        return key

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        self._keeper.drop(vault_id, facts)


def open_unattended(folder: Path, keepers: Iterable[Keeper]) -> OpenedVault | InVain:
    """The vault, opened by the first slot that opens with nobody there; or why there is none.

    Raises:
        VaultUnavailable: it is missing, in use, damaged or too new.
    """
    noting = [_Noting(keeper) for keeper in keepers]
    try:
        vault = Vault.open_unattended(folder, noting)
    except NoSlotOpens as error:
        reasons = {keeper.kind: keeper.why for keeper in noting if keeper.why is not None}
        kinds = {slot.kind for slot in read_slots(folder / SLOTS).slots}
        return InVain(sentence=str(error), has_passphrase=PASSPHRASE in kinds, reasons=reasons)
    return OpenedVault(vault=vault, by=[keeper.kind for keeper in noting if keeper.gave][-1])


def shown_slots(folder: Path, vain: InVain | None) -> list[dict[str, Any]]:
    """The slots of a vault that is locked, each with why it did not open; needs no key.

    What a locked vault says of its slots is not sealed: it is a help, and no evidence.
    """
    try:
        kinds: Sequence[str] = [slot.kind for slot in read_slots(folder / SLOTS).slots]
    except (StorageError, OSError):
        return []
    reasons = vain.reasons if vain is not None else {}
    return [
        {
            "kind": slot.kind,
            "unattended": slot.unattended,
            "problem": reasons.get(slot.kind) if slot.unattended else NEEDS_YOU,
        }
        for slot in slot_facts(kinds)
    ]
