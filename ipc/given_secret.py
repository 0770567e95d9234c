"""What somebody typed to show that the vault is theirs, on its way to the service.

It comes in the body of a request to `admin.sock` and goes nowhere else.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from ipc.admin_bodies import text
from ipc.errors import OperationError

SecretKind = Literal["passphrase", "recovery_key"]
KINDS: tuple[SecretKind, ...] = ("passphrase", "recovery_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSecret:
    kind: SecretKind
    text: str = field(repr=False)


def given_secret(body: dict[str, Any]) -> GivenSecret:
    """From `{"passphrase": ...}` or `{"recovery_key": ...}`."""
    secret = optional_secret(body)
    if secret is None:
        raise OperationError("usage", "Give `passphrase` or `recovery_key`.")
    return secret


def optional_secret(body: dict[str, Any]) -> GivenSecret | None:
    """None where neither is given."""
    given = [kind for kind in KINDS if body.get(kind) is not None]
    if len(given) > 1:
        raise OperationError("usage", "Give `passphrase` or `recovery_key`.")
    return GivenSecret(kind=given[0], text=text(body, given[0])) if given else None
