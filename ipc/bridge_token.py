"""The bridge's token: 256 random bits in a file that is its owner's alone.

It is read anew for each request, so that a new one holds at once. Knows nothing of HTTP.
"""

import contextlib
import hmac
import os
import re
import secrets
import stat
import string
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ipc.errors import BridgeTokenDamaged, BridgeTokenMissing, BridgeTokenUnsafe

# As keys of OpenAI's API look: some clients insist on that, and redaction finds one in a text.
PREFIX = "sk-nightloom"
ALPHABET = string.ascii_letters + string.digits
LENGTH = 43  # letters: 62^43 > 2^256
FORM = re.compile(rb"sk-nightloom[A-Za-z0-9]{43}")
OTHERS = 0o077
LONGEST_FILE = 256  # bytes; more than that is something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a program has to show."""

    text: str = field(repr=False)

    @classmethod
    def random(cls) -> Self:
        return cls(text=PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))

    def is_shown(self, given: str) -> bool:
        """Whether `given` is it, in a time that does not tell where they differ."""
        return hmac.compare_digest(
            given.encode("utf-8", "surrogateescape"), self.text.encode("ascii")
        )


def ensure_token(file: Path) -> bool:
    """Make the file if there is none; whether it was made. Never changes one that is there.

    Raises:
        OSError: the folder cannot be written to.
    """
    if file.is_symlink() or file.exists():
        return False
    try:
        with _written_beside(file) as new:
            os.link(new, file)  # refuses where another bridge was quicker
    except FileExistsError:
        return False
    return True


def replace_token(file: Path) -> None:
    """A new token in the place of whatever is there.

    Raises:
        OSError: the folder cannot be written to.
    """
    with _written_beside(file) as new:
        new.replace(file)


def read_token(file: Path) -> Token:
    """Raises BridgeTokenMissing, BridgeTokenUnsafe or BridgeTokenDamaged."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BridgeTokenMissing from None
    except OSError:  # a link, or another's
        raise BridgeTokenUnsafe from None
    try:
        status = os.fstat(descriptor)
        if not is_private(status, uid=os.geteuid()):
            raise BridgeTokenUnsafe
        held = os.read(descriptor, LONGEST_FILE)
    finally:
        os.close(descriptor)
    if not FORM.fullmatch(held.removesuffix(b"\n")):
        raise BridgeTokenDamaged
    return Token(text=held.removesuffix(b"\n").decode("ascii"))


def is_private(status: os.stat_result, *, uid: int) -> bool:
    """A plain file of this user that nobody else may touch. Pure."""
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_uid == uid
        and not stat.S_IMODE(status.st_mode) & OTHERS
    )


@contextlib.contextmanager
def _written_beside(file: Path) -> Generator[Path, None, None]:
    """A file with a new token in the same folder, gone afterwards if it was not moved away."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(
        new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            os.fchmod(descriptor, 0o600)  # whatever the umask is
            os.write(descriptor, Token.random().text.encode("ascii") + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield new
    finally:
        new.unlink(missing_ok=True)
