"""The rules of redaction, in the order in which they win where two finds begin together. Data.

A rule that is added or changed raises `RULES_VERSION`; stored documents with an older one are then
redacted again. Every rule looks for a literal first, so that prose costs a few passes, and visits
each character a bounded number of times, so that no text makes it slow.
"""

from collections.abc import Callable

from daemon.collecting.redaction_emails import find_email_addresses
from daemon.collecting.redaction_keys import find_private_keys
from daemon.collecting.redaction_numbers import find_checked_numbers
from daemon.collecting.redaction_passwords import find_assigned_secrets
from daemon.collecting.redaction_phones import find_phone_numbers
from daemon.collecting.redaction_reading import Rule
from daemon.collecting.redaction_sentences import find_said_passwords
from daemon.collecting.redaction_tokens import find_tokens
from daemon.collecting.redaction_urls import (
    find_address_passwords,
    find_login_files,
    find_password_hashes,
)

RULES_VERSION = 2

RULES: tuple[Rule, ...] = (
    find_private_keys,
    find_tokens,
    find_password_hashes,
    find_address_passwords,
    find_login_files,
    find_assigned_secrets,
    find_said_passwords,
    find_checked_numbers,
    find_email_addresses,
    find_phone_numbers,
)


def _without_whitespace(value: str) -> str:
    return "".join(value.split())


def _alphanumeric(value: str) -> str:
    return "".join(filter(str.isalnum, value)).upper()


def _as_it_is(value: str) -> str:
    return value


# What makes spellings of one value the same, so that they get the same number.
SAME: dict[str, Callable[[str], str]] = {
    "private key": _without_whitespace,
    "token": _as_it_is,
    "password": _as_it_is,
    "card": _alphanumeric,
    "iban": _alphanumeric,
    "national id": _alphanumeric,
    "email": str.casefold,
    "phone": _alphanumeric,
}
