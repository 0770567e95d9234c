"""The OS keyring as a keeper: named backends only, and never a window that asks for a password.

Which keyring is used is not left to discovery: a store that keeps passwords in a plain file, or
one that keeps nothing, must never be found by chance. What the user configured for the `keyring`
library is honoured where it is one of the named ones and refused where it is not, before its code
is loaded. The library is imported at the first use, because most services never need it.
"""

import configparser
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Protocol, TypeVar

from storage.errors import KeeperUnavailable

KEYRING = "keyring"
KEY_SERVICE = "nightloom vault"
_SECRET_SERVICE = "keyring.backends.SecretService.Keyring"  # noqa: S105 - the name of a class
_KWALLET = "keyring.backends.kwallet.DBusKeyring"
_MACOS = "keyring.backends.macOS.Keyring"
_CHAINER = "keyring.backends.chainer.ChainerBackend"  # only ever used for its named members
LONGEST_SECONDS = 10.0  # a keyring that does not answer must not hold up the service

LOCKED = "it is locked; log in to the desktop or unlock the keyring"
ABSENT = "there is none on this session's bus"
SILENT = "it does not answer"
REFUSED = "it refused"
EMPTY = "it holds no key of this vault"
NOT_KEPT = "it did not keep what it was given"
UNNAMED = (
    "the `keyring` library is set to a backend that nightloom does not trust with a key; "
    "trusted are Secret Service, KWallet and the macOS Keychain"
)
KEEPS_NOTHING = "the `keyring` library is set to keep nothing (backend `null` or `fail`)"
PLAIN_FILES = "the `keyring` library is set to `keyrings.alt`, which keeps secrets in plain files"
NO_WINDOWS = "the Windows credential store is not supported"

Result = TypeVar("Result")


class Backend(Protocol):
    """What is used of the library's backends."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


def candidates(configured: str | None, platform: str) -> tuple[str, ...]:
    """Which backends may be tried, by their full names.

    Raises `KeeperUnavailable` that says why for a configured one that is not among the named.
    """
    if platform == "win32":
        raise _unavailable(NO_WINDOWS)
    named = (_MACOS,) if platform == "darwin" else (_SECRET_SERVICE, _KWALLET)
    if configured is None or configured == _CHAINER:
        return named
    if configured in (_SECRET_SERVICE, _KWALLET, _MACOS):
        return (configured,)
    if configured.startswith(("keyring.backends.null.", "keyring.backends.fail.")):
        raise _unavailable(KEEPS_NOTHING)
    if configured.startswith("keyrings.alt."):
        raise _unavailable(PLAIN_FILES)
    raise _unavailable(UNNAMED)


class KeyringStore:
    """Short texts in the OS keyring, by vault. One call at a time, each with a time limit."""

    def __init__(self, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._longest_seconds = longest_seconds

    def get(self, service: str, vault_id: bytes) -> str | None:
        user = vault_id.hex()
        return self._ask(lambda: _backend(service, user).get_password(service, user))

    def set(self, service: str, vault_id: bytes, value: str) -> None:
        user = vault_id.hex()
        self._ask(lambda: _backend(service, user).set_password(service, user, value))

    def delete(self, service: str, vault_id: bytes) -> None:
        """That there is none is no error."""
        user = vault_id.hex()

        def delete() -> None:
            backend = _backend(service, user)
            if backend.get_password(service, user) is not None:
                backend.delete_password(service, user)

        self._ask(delete)

    def probe(self) -> None:
        """Raises `KeeperUnavailable` if it could not be used now."""
        self._ask(_backend)

    def _ask(self, call: Callable[[], Result]) -> Result:
        return _bounded(call, self._longest_seconds)


class KeyringKeeper:
    """The private half lies in the keyring under the vault's id, in hex."""

    def __init__(self, store: KeyringStore | None = None) -> None:
        self._store = store or KeyringStore()

    @property
    def kind(self) -> str:
        return KEYRING

    def problem(self) -> str | None:
        try:
            self._store.probe()
        except KeeperUnavailable as error:
            return str(error.facts["why"])
        return None

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        self._store.set(KEY_SERVICE, vault_id, private.hex())
        if self._store.get(KEY_SERVICE, vault_id) != private.hex():
            raise _unavailable(NOT_KEPT)
        return {}

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        value = self._store.get(KEY_SERVICE, vault_id)
        try:
            return bytes.fromhex(value or "not there")
        except ValueError:
            raise _unavailable(EMPTY) from None

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        self._store.delete(KEY_SERVICE, vault_id)


# --------------------------------------------------------------------------- which backend


def _backend(service: str = KEY_SERVICE, user: str = "") -> Backend:
    """One that is there and unlocked, for this entry. Raises `KeeperUnavailable`."""
    for name in candidates(_configured(), sys.platform):
        if name == _SECRET_SERVICE:
            if _secret_service_is_open(service, user):
                from keyring.backends import SecretService

                backend: Backend = SecretService.Keyring()  # type: ignore[no-untyped-call]
                return backend
        elif (other := _other(name)) is not None:
            return other
    raise _unavailable(ABSENT)


def _secret_service_is_open(service: str, user: str) -> bool:
    """False where there is none. Raises `KeeperUnavailable` where it is locked.

    Looked at before the library touches it: the library would have the keyring ask for its
    password. (If it locks between the look and the use, it may still ask.)
    """
    import secretstorage
    from secretstorage.exceptions import ItemNotFoundException, SecretStorageException

    try:
        with closing(secretstorage.dbus_init()) as bus:
            if not secretstorage.check_service_availability(bus):
                return False
            collection = secretstorage.Collection(bus)
            # Some lock single entries, to ask at each use.
            items = collection.search_items({"service": service, "username": user})
            if collection.is_locked() or any(item.is_locked() for item in items):
                raise _unavailable(LOCKED)
    except ItemNotFoundException:  # no default collection; making one would ask
        return False
    except (SecretStorageException, OSError, EOFError):
        return False
    return True


def _other(name: str) -> Backend | None:
    if name == _KWALLET:
        from keyring.backends import kwallet as module

        kind: Any = module.DBusKeyring
    else:
        from keyring.backends import macOS

        kind = macOS.Keyring
    try:
        return kind() if kind.priority > 0 else None
    except RuntimeError:  # how the library says that a backend is not there
        return None


def _configured() -> str | None:
    """The backend that the user named for the `keyring` library, as a name."""
    if named := os.environ.get("PYTHON_KEYRING_BACKEND"):
        return named
    from keyring.util import platform_

    config = configparser.RawConfigParser()
    try:
        config.read(platform_.config_root() / "keyringrc.cfg", encoding="utf-8")
        return config.get("backend", "default-keyring").strip()
    except (configparser.NoOptionError, configparser.NoSectionError):
        return None
    except (configparser.Error, UnicodeDecodeError):
        raise _unavailable(UNNAMED) from None


# --------------------------------------------------------------------------- the edge

_one_at_a_time = threading.Lock()


def _bounded(call: Callable[[], Result], longest_seconds: float) -> Result:
    """Run it on a thread of its own, so that a keyring which never answers holds up nobody.

    Whatever the library raises becomes `KeeperUnavailable`, without its words.
    """
    if not _one_at_a_time.acquire(timeout=longest_seconds):
        raise _unavailable(SILENT)
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            _one_at_a_time.release()

    thread = threading.Thread(target=work, name="keyring", daemon=True)
    thread.start()
    thread.join(longest_seconds)
    if results:
        return results[0]
    if not errors:
        raise _unavailable(SILENT)
    if isinstance(errors[0], KeeperUnavailable):
        raise errors[0]
    locked = type(errors[0]).__name__ in ("KeyringLocked", "LockedException")
    raise _unavailable(LOCKED if locked else REFUSED) from None


def _unavailable(why: str) -> KeeperUnavailable:
    return KeeperUnavailable(keeper=KEYRING, why=why)
