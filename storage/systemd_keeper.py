"""`systemd-creds --user` as a keeper: systemd seals the key to this machine and this user.

The sealed credential lies in the slot's facts in slots.json; the key itself goes through pipes,
never through arguments or files. Knows nothing of what the key opens.
"""

import base64
import binascii
import functools
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storage.errors import KeeperUnavailable

SYSTEMD_CREDS = "systemd-creds"
OLDEST_VERSION = 256  # the first with --user
_PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
_LONGEST_SECONDS = 30
_MOST_BYTES = 64 * 1024
_FACT = "credential"

ABSENT = "this machine has no systemd-creds"
SILENT = "systemd-creds does not answer"
REFUSED = "systemd-creds refused"
INCOMPLETE = "the slot in slots.json is not complete"


def version_in(said: str) -> int | None:
    """`systemd 257 (257.5-2)` is 257."""
    found = re.match(r"systemd (\d{1,6})\b", said)
    return int(found[1]) if found else None


def found_program() -> Path | None:
    return next(
        (path for place in _PLACES if (path := Path(place) / "systemd-creds").is_file()), None
    )


class SystemdKeeper:
    """`program` is systemd's own unless a test has another."""

    def __init__(self, program: Path | None = None) -> None:
        self._program = program or found_program()

    @property
    def kind(self) -> str:
        return SYSTEMD_CREDS

    def problem(self) -> str | None:
        return self._problem

    @functools.cached_property
    def _problem(self) -> str | None:
        try:
            version = version_in(self._run("--version").decode("ascii", "replace"))
        except KeeperUnavailable as error:
            return str(error.facts["why"])
        if version is None:
            return REFUSED
        if version < OLDEST_VERSION:
            return f"it needs systemd {OLDEST_VERSION} or later, and this is {version}"
        return None

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        self._check()
        sealed = self._run(
            "--user", f"--name={_name(vault_id)}", "encrypt", "-", "-", given=private
        )
        facts = {_FACT: _one_line(sealed)}
        if self.fetch(vault_id, facts) != private:  # tried now, not in the night
            raise _unavailable(REFUSED)
        return facts

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        self._check()
        text = facts.get(_FACT)
        if not isinstance(text, str) or not 0 < len(text) <= _MOST_BYTES:
            raise _unavailable(INCOMPLETE)
        try:
            sealed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise _unavailable(INCOMPLETE) from None
        given = base64.b64encode(sealed)
        return self._run("--user", f"--name={_name(vault_id)}", "decrypt", "-", "-", given=given)

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        """Nothing is kept outside of slots.json."""

    def _check(self) -> None:
        if self._problem is not None:
            raise _unavailable(self._problem)

    def _run(self, *arguments: str, given: bytes = b"") -> bytes:
        """What it writes; in a session of its own, so that it has no terminal to ask on."""
        if self._program is None:
            raise _unavailable(ABSENT)
        try:
            done = subprocess.run(
                [self._program, *arguments],
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_LONGEST_SECONDS,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _unavailable(SILENT) from None
        except OSError:
            raise _unavailable(ABSENT) from None
        if done.returncode != 0 or len(done.stdout) > _MOST_BYTES:
            raise _unavailable(REFUSED)
        return done.stdout


def _name(vault_id: bytes) -> str:
    """Sealed into the credential, so that another vault's does not open in its place."""
    return f"nightloom-{vault_id.hex()}"


def _one_line(sealed: bytes) -> str:
    return b"".join(sealed.split()).decode("ascii", "replace")


def _unavailable(why: str) -> KeeperUnavailable:
    return KeeperUnavailable(keeper=SYSTEMD_CREDS, why=why)
