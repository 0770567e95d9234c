"""Everything that nightloom keeps on this machine, taken away for good.

The keys go first: what is left of a removal that is cut off cannot be opened any more. Touches
nothing but the folders that `Home` names, and what key slots left with the system's keepers. Of a
folder that is a link the link goes, and what it leads to stays.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from daemon.home import Home
from daemon.installing.errors import NotOurs
from storage.errors import KeeperUnavailable, StorageError
from storage.keyring_keeper import KEYRING, KeyringStore
from storage.keyring_witness import WITNESS_SERVICE
from storage.slot_keeping import drop
from storage.slots import SlotFile, read_slots
from storage.unattended import Keeper, keepers
from storage.vault_layout import DATABASE, FILES, LOCK, SLOTS, WITNESS
from trainer.base_format import FACTS_FILE


def check_ours(home: Home) -> None:
    """That a folder which NIGHTLOOM_HOME names by mistake keeps a `vault` and `run` of its own.

    Raises:
        NotOurs: there is something, and nothing by which nightloom's is known.
    """
    if home.root is None or not any(map(_holds_something, _kept(home))):
        return
    kept_in_vault = (home.vault / name for name in (SLOTS, DATABASE, WITNESS, FILES))
    signs = (home.lock_file, *kept_in_vault, *home.bases.glob(f"*/{FACTS_FILE}"))
    if not any(sign.exists() for sign in signs):
        raise NotOurs(home.root)


def in_use(home: Home) -> bool:
    """Whether a service works there, also one that answers nobody."""
    return _is_locked(home.lock_file) or _is_locked(home.vault / LOCK)


def purge(home: Home, with_keepers: Iterable[Keeper] | None = None) -> list[Path]:
    """What there was and is gone. No service may run.

    Raises:
        NotOurs: nothing was done.
        OSError: something could not be removed; the keys are gone by then.
    """
    check_ours(home)
    slots = home.vault / SLOTS
    file = _slots(slots)
    for keeper in keepers() if with_keepers is None else with_keepers:
        if file is not None:
            _forget_slot(keeper, file)
    slots.unlink(missing_ok=True)
    gone = [path for path in _kept(home) if os.path.lexists(path)]
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for folder in {path.parent for path in gone} | ({home.root} if home.root else set()):
        with contextlib.suppress(OSError):
            folder.rmdir()  # refuses where something else is in it
    return gone


def _kept(home: Home) -> tuple[Path, ...]:
    """Files and folders of ours; what lies beside them in a home of one's own stays."""
    return (home.vault, home.bases, home.config_file, home.bridge_token, home.runtime)


def _holds_something(path: Path) -> bool:
    """More than folders that are empty."""
    return path.is_file() or any(not one.is_dir() for one in path.rglob("*"))


def _is_locked(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _slots(file: Path) -> SlotFile | None:
    try:
        return read_slots(file)
    except (OSError, StorageError):
        return None


def _forget_slot(keeper: Keeper, file: SlotFile) -> None:
    """As far as the keeper can be reached; what is left there opens nothing."""
    for slot in file.slots:
        if slot.kind == keeper.kind:
            drop(keeper, slot, vault_id=file.vault_id)
            if slot.kind == KEYRING:
                with contextlib.suppress(KeeperUnavailable):
                    KeyringStore().delete(WITNESS_SERVICE, file.vault_id)
