"""Private keys in every form in which they are kept, quoted, escaped and cut off."""
# ruff: noqa: E501 - tables of examples

from collections.abc import Callable

import pytest

from daemon.collecting.redaction import redact
from storage.records import CollectedDocument
from tests.daemon.collecting.secret_making import made

LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ANY PRIVATE KEY",
          "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "SSH2 PRIVATE KEY",
          "TSS2 PRIVATE KEY", "X25519 PRIVATE KEY")  # fmt: skip
LINES = [made("{b64}", number) for number in range(6)] + [made("{b20}") + "=="]


def redacted(text: str) -> str:
    return redact(CollectedDocument(source="s", path="p", modified_at=0.0, text=text)).text


def pem(label: str = "RSA PRIVATE KEY", lines: list[str] = LINES) -> str:
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def nothing_left(text: str) -> bool:
    """Not even twelve signs of the key."""
    return not any(line[at : at + 12] in text for line in LINES for at in range(len(line) - 11))


@pytest.mark.parametrize("label", LABELS)
def test_every_label(label: str) -> None:
    assert redacted(f"before\n{pem(label)}\nafter") == "before\n[private key 1]\nafter"


@pytest.mark.parametrize("label", LABELS)
def test_spaces_and_four_dashes(label: str) -> None:
    text = pem(label).replace("-----BEGIN ", "---- BEGIN ").replace("-----END ", "---- END ")
    text = text.replace("KEY-----", "KEY ----").replace("BLOCK-----", "BLOCK ----")
    assert redacted(text) == "[private key 1]"


SHAPES: dict[str, Callable[[str], str]] = {
    "escaped": lambda text: '{"key": "' + text.replace("\n", "\\n") + '\\n"}',
    "escaped with returns": lambda text: "KEY='" + text.replace("\n", "\\r\\n") + "'",
    "escaped twice": lambda text: text.replace("\n", "\\\\n"),
    "single line": lambda text: text.replace("\n", " "),
    "no line ends": lambda text: text.replace("\n", ""),
    "indented": lambda text: "key: |\n" + "\n".join("    " + one for one in text.splitlines()),
    "quoted mail": lambda text: "\n".join("> > " + one for one in text.splitlines()),
    "code": lambda text: "\n".join(f'    "{one}\\n" +' for one in text.splitlines()),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "markdown": lambda text: f"```\n{text}\n```",
    "blank lines": lambda text: text.replace("\n", "\n\n"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("label", LABELS)
def test_however_it_was_pasted(label: str, shape: str) -> None:
    kept = redacted(SHAPES[shape](pem(label)))
    assert nothing_left(kept)
    assert kept.count("[private key 1]") == 1


@pytest.mark.parametrize(
    "shape", ["indented", "quoted mail", "windows", "escaped", "code", "blank lines"]
)
@pytest.mark.parametrize("lines", [1, 3, 6])
def test_a_key_whose_end_is_missing(shape: str, lines: int) -> None:
    cut = "\n".join(pem().splitlines()[: lines + 1])
    kept = redacted(SHAPES[shape](cut) + "\n\nAnd then I went home.")
    assert nothing_left(kept)
    assert kept.endswith("\n\nAnd then I went home.")


@pytest.mark.parametrize("cut", [".", "...", "…", "[...]", "****", ""])
def test_a_key_cut_off_within_a_line(cut: str) -> None:
    text = f"-----BEGIN RSA PRIVATE KEY-----\n{LINES[0]}\n{LINES[1][:30]}{cut}\nThat was it."
    kept = redacted(text)
    assert nothing_left(kept)
    assert kept.endswith("That was it.")


@pytest.mark.parametrize("shape", ["indented", "quoted mail", "windows"])
def test_a_key_whose_begin_is_missing(shape: str) -> None:
    text = SHAPES[shape]("\n".join(pem().splitlines()[2:]))
    kept = redacted("I found this.\n\n" + text.removeprefix("key: |\n"))
    assert nothing_left(kept)
    assert kept.startswith("I found this.")


def test_headers_of_an_encrypted_key_go_with_it() -> None:
    lines = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC," + made("{U32}"), "", *LINES]
    assert redacted(pem("RSA PRIVATE KEY", lines)) == "[private key 1]"
    cut = pem("RSA PRIVATE KEY", lines).rpartition("\n")[0]
    assert redacted(cut) == "[private key 1]"


PUTTY = "\n".join([
    "PuTTY-User-Key-File-3: ssh-ed25519", "Encryption: none", "Comment: anna", "Public-Lines: 2",
    LINES[4], LINES[5], "Private-Lines: 2", LINES[0], LINES[1][:20], "Private-MAC: " + made("{h64}"),
])  # fmt: skip


@pytest.mark.parametrize("text", [PUTTY, PUTTY.replace("\n", "\r\n"), PUTTY.rpartition("\n")[0]])
def test_putty_files(text: str) -> None:
    kept = redacted(f"mine:\n{text}\n\nkeep it")
    assert nothing_left(kept)
    assert "Private-MAC" not in kept
    assert kept.startswith("mine:\n[private key 1]")
    assert kept.endswith("keep it")


JWK = '{"kty":"RSA","n":"' + LINES[3].replace("/", "_").replace("+", "-") + '","e":"AQAB","d":"'
JWK += made("{d86}", 3) + '","use":"sig"}'


@pytest.mark.parametrize(
    "text",
    [JWK, JWK.replace('"', '\\"'), JWK.replace(",", ",\n  "), JWK.replace(":", " : "), JWK.replace('"', "'")],
)  # fmt: skip
def test_json_web_keys(text: str) -> None:
    assert redacted(f"keys: [{text}]") == "keys: [[private key 1]]"


def test_the_secret_of_a_symmetric_json_web_key() -> None:
    assert made("{d43}") not in redacted('{"kty":"oct","k":"' + made("{d43}") + '"}')


def test_xml_keys() -> None:
    text = f"<RSAKeyValue><Modulus>{LINES[0]}</Modulus><D>{LINES[1]}</D></RSAKeyValue>"
    assert redacted(text) == "[private key 1]"


@pytest.mark.parametrize(
    "text",
    [
        pem("PUBLIC KEY"),
        pem("CERTIFICATE"),
        pem("PGP PUBLIC KEY BLOCK"),
        '{"kty":"EC","crv":"P-256","x":"abc","y":"def"}',
        "<RSAKeyValue><Modulus>abc</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
        "The line says BEGIN PRIVATE KEY and then a lot of letters.",
        "ssh-ed25519 " + made("{b68}") + " anna",
        "ssh-rsa " + made("{b372}") + " anna",
    ],
)
def test_what_is_public_stays(text: str) -> None:
    assert redacted(text) == text


def test_prose_between_two_keys_stays() -> None:
    text = f"{pem()}\nThen I made another one.\n{pem('EC PRIVATE KEY', LINES[1:])}"
    assert redacted(text) == "[private key 1]\nThen I made another one.\n[private key 2]"
