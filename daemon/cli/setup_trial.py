"""Does the vault really open with nobody there? Tried now, so that it is not found out at night.

Opens the vault where it is free; where a service has it, opens the root key by the same slots.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.unattended_opening import OpenedVault, open_unattended
from storage import keyring_keeper, systemd_keeper
from storage.errors import NoSlotOpens, VaultBusy
from storage.slot_keeping import unlock_unattended
from storage.slots import read_slots
from storage.unattended import WRONG_KEY, Keeper
from storage.vault_layout import SLOTS

RENEW = "Make the slot anew: `nightloom key remove {0}`, then `nightloom key add {0}`."
ADVICE = {
    keyring_keeper.LOCKED: "Log in to the desktop with your password (an automatic login leaves "
    "the keyring locked) or unlock the keyring.",
    keyring_keeper.ABSENT: "A keyring comes with a desktop session (GNOME Keyring, KWallet); log "
    "in to one.",
    keyring_keeper.SILENT: "Log out and in again, so that the keyring is started anew.",
    keyring_keeper.EMPTY: RENEW,
    WRONG_KEY: RENEW,
    systemd_keeper.REFUSED: "The vault may come from another machine. " + RENEW,
}
UNTIL_THEN = "Until then the vault waits for `nightloom unlock` after each start of the service."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """By which slot the vault opened, or why each that should have opened it did not."""

    by: str | None
    reasons: Mapping[str, str]  # by kind of slot


def tried(vault: Path, keepers: Iterable[Keeper]) -> Trial:
    """Asks nobody anything.

    Raises `VaultUnavailable`.
    """
    keepers = tuple(keepers)
    try:
        opened = open_unattended(vault, keepers)
    except VaultBusy:
        return _root_tried(vault, keepers)
    if isinstance(opened, OpenedVault):
        opened.vault.close()
        return Trial(by=opened.by, reasons={})
    return Trial(by=None, reasons=opened.reasons)


def _root_tried(vault: Path, keepers: Iterable[Keeper]) -> Trial:
    file = read_slots(vault / SLOTS)
    kinds = {slot.kind for slot in file.slots}
    reasons = {}
    for keeper in keepers:
        if keeper.kind not in kinds:
            continue
        try:
            unlock_unattended(file, (keeper,))
        except NoSlotOpens:
            reasons[keeper.kind] = keeper.problem() or WRONG_KEY
        else:
            return Trial(by=keeper.kind, reasons={})
    return Trial(by=None, reasons=reasons)


def advice(kind: str, reason: str) -> str:
    """What to do about it."""
    return ADVICE.get(reason, RENEW).format(kind)
