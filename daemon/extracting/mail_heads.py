"""What the first bytes of a message say without reading it: its name, and whether it is the user's.

Fast and coarse, on bytes: what it takes for the user's is looked at again by who reads the letter.
Pure.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD_BYTES = 64 * 1024
_FOLD = re.compile(rb"\r?\n[ \t]+")
_END = re.compile(rb"\r?\n\r?\n")
_ID = re.compile(rb"(?im)^message-id[ \t]*:[ \t]*<([^<>\r\n]{1,500})>")
_FROM = re.compile(rb"(?im)^from[ \t]*:([^\r\n]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`digest` is of the Message-ID; None where there is none."""

    digest: int | None = field(repr=False)
    mine: bool


def head_of(beginning: bytes, me: "re.Pattern[bytes]") -> Head:
    """Of a message's first `HEAD_BYTES`, also with a `From ` line before it."""
    end = _END.search(beginning)
    block = _FOLD.sub(b" ", beginning[: end.start()] if end else beginning)
    name = _ID.search(block)
    sender = _FROM.search(block)
    written = sender[1] if sender else b""
    return Head(
        digest=id_digest(name[1]) if name else None,
        mine=bool(me.search(written)) or (b"@" not in written and b"=?" in written),
    )


def id_digest(name: bytes) -> int:
    """A Message-ID, without its brackets, as a number of 64 bits."""
    return int.from_bytes(hashlib.sha256(name.strip()).digest()[:8], "big")


def addresses_pattern(me: Sequence[str]) -> "re.Pattern[bytes]":
    """Finds any of the user's addresses, in any capitals and with any `+tag`."""
    found = [_address(one) for one in me if "@" in one]
    return re.compile(rb"(?i)(?<![\w.+-])(?:" + b"|".join(found or [rb"(?!)"]) + rb")(?![\w-])")


def _address(one: str) -> bytes:
    local, _, domain = bare_address(one).rpartition("@")
    tag = rb"" if "+" in local else rb"(?:\+[^@\s<>\"]*)?"
    return re.escape(local.encode()) + tag + b"@" + re.escape(domain.encode())


def bare_address(written: str) -> str:
    """The address in `Name <address>` or `<address>`, in small letters."""
    if "<" in written:
        written = written.rpartition("<")[2].partition(">")[0]
    return written.strip().lower()
