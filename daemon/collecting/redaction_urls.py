"""Passwords in addresses and in the files of programs that log in: .netrc, .pgpass, hashes. Pure.

Parameters of a query are in `redaction_passwords`.
"""

import re
from collections.abc import Iterator

from daemon.collecting.redaction_reading import Find, Reading, places
from daemon.collecting.redaction_tokens import looks_random

_USERINFO = re.compile(
    r"://(?:[^\s/?#@:\"'<>\x7f]{0,128}:(?P<password>[^\s/@\"'<>\x7f]{1,256})|"
    r"(?P<token>[^\s/?#@:\"'<>\x7f]{16,256}))@(?=[\w\[$%{.-])"
)
_DUMMY = re.compile(r"\$|\{|%[({]|\*+$|[xX]+$|<|\[|\.{2,}$")
_NETRC = re.compile(
    r"machine[ \t]{1,4}[^\s]{1,128}\s{1,8}(?:(?:login|account)[ \t]{1,4}[^\s]{1,128}\s{1,8}){0,2}"
    r"password[ \t]{1,4}(?P<value>[^\s\x7f]{1,128})"
)
_PGPASS = re.compile(
    r"[^\s:#]{1,128}:(?:\d{1,5}|\*):[^\s:]{1,64}:[^\s:]{1,64}:"
    r"(?P<value>[^\s\x7f]{1,128})[ \t\r]*(?:\n|$)"
)
_HASH = re.compile(
    r"\$(?:apr1|1|2[abxy]?|5|6|7|y|gy|argon2(?:id|i|d)|scrypt|pbkdf2(?:-\w{1,10})?|sha1|md5|P|H|S)\$"
    r"[./A-Za-z0-9$=,+-]{16,256}"
)
_DJANGO = re.compile(
    r"(?:pbkdf2_sha\d{1,3}|bcrypt_sha256|scrypt|argon2)\$[./A-Za-z0-9$=,+-]{24,256}"
)
_LDAP = re.compile(r"\{(?:S?SHA(?:\d{3})?|S?MD5|CRYPT|MD5)\}[A-Za-z0-9+/=.$]{16,200}")
_CURL = re.compile(
    r"curl [^\n\x7f]{0,200}?(?<= )(?:-u|--user)[ =][\"']?[^\s:\"']{1,64}:"
    r"(?P<value>[^\s\"'\x7f]{1,128})"
)


def find_address_passwords(reading: Reading) -> Iterator[Find]:
    text = reading.text
    if b":" not in reading.folded:
        return
    for at in places(reading.folded, b"://"):
        found = _USERINFO.match(text, at)
        if found and found["password"] and not _DUMMY.match(found["password"]):
            yield Find(*found.span("password"), "password", "password in address")
        elif found and found["token"] and looks_random(found["token"]):
            yield Find(*found.span("token"), "token", "token in address")


def find_login_files(reading: Reading) -> Iterator[Find]:
    text, folded = reading.text, reading.folded
    for at in places(folded, b"machine ") if "password" in text else ():
        if found := _NETRC.match(text, at):
            yield Find(*found.span("value"), "password", "netrc")
    if b":" not in folded:  # as all others have
        return
    for literal, signs in ((b":0000:", reading.shape), (b":*:", folded)):
        for at in places(signs, literal):
            start = folded.rfind(b"\n", max(at - 130, 0), at) + 1
            if found := _PGPASS.match(text, start or max(at - 128, 0)):
                yield Find(*found.span("value"), "password", "pgpass")
    for at in places(folded, b"curl "):
        if (found := _CURL.match(text, at)) and not _DUMMY.match(found["value"]):
            yield Find(*found.span("value"), "password", "password of curl")


def find_password_hashes(reading: Reading) -> Iterator[Find]:
    text = reading.text
    if "$" in text:
        for crypted in _HASH.finditer(text):
            yield Find(crypted.start(), crypted.end(), "password", "password hash")
        for literal in (b"pbkdf2_", b"bcrypt_", b"scrypt$", b"argon2$"):
            for at in places(reading.folded, literal):
                if found := _DJANGO.match(text, at):
                    yield Find(at, found.end(), "password", "password hash")
    if "}" in text:
        for literal in (b"sha}", b"md5}", b"crypt}", b"sha256}", b"sha512}"):
            for at in places(reading.folded, literal):
                start = text.rfind("{", max(at - 3, 0), at)
                if start != -1 and (found := _LDAP.match(text, start)):
                    yield Find(start, found.end(), "password", "password hash")
