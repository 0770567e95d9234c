"""What is taken out of a text before it is kept, and what is not."""
# ruff: noqa: E501 - tables of examples

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.collecting.redaction import find_secrets, redact
from daemon.collecting.redaction_reading import KINDS
from daemon.collecting.redaction_rules import RULES_VERSION, SAME
from storage.records import CollectedDocument
from tests.daemon.collecting.secret_making import made

KEY_LINES = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3
HOSTILE = ("a@", "@", "a.", "a@a.", "-", " ", "-----BEGIN PRIVATE KEY-----", "PRIVATE KEY", "= ")


def redacted(text: str) -> str:
    return redact(document(text)).text


def document(text: str) -> CollectedDocument:
    return CollectedDocument(source="notes", path="a.txt", modified_at=1.0, text=text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to anna@example.org.", "write to [email 1]."),
        ("<anna.berg+bees@mail.example.co.uk>", "<[email 1]>"),
        ("[mail](mailto:anna@example.org)", "[mail](mailto:[email 1])"),
        ("**anna@example.org**", "**[email 1]**"),
        ("josé@bücher.example and o'neil@example.org", "[email 1] and [email 2]"),
        ("rene\u0301@example.org", "[email 1]"),
        ("a@example.org b@example.org A@Example.ORG", "[email 1] [email 2] [email 1]"),
        ("a@b@example.org", "a@[email 1]"),
    ],
)
def test_email_addresses_become_numbered_words(text: str, kept: str) -> None:
    assert redacted(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "meet @anna at noon",
        "12 eggs @ 30 cents",
        "root@localhost",
        "react@18.2.0",
        "@example.org",
        "x@.org",
        "anna@ example.org",
        "See the PRIVATE KEY chapter.",
        "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMFkw\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
        ("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----END PGP PRIVATE KEY BLOCK-----"),
        (
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
            "---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        ),
    ],
)
def test_private_keys_go_as_a_whole(begin: str, end: str) -> None:
    text = f"my key:\n{begin}\nComment: anna@example.org\n\n{KEY_LINES}{end}\nkeep it safe"
    assert redacted(text) == "my key:\n[private key 1]\nkeep it safe"


def test_a_key_on_one_line_or_quoted_goes_too() -> None:
    line = KEY_LINES.replace("\n", "\\n")
    escaped = f'"-----BEGIN PRIVATE KEY-----\\n{line}-----END PRIVATE KEY-----\\n"'
    assert redacted(escaped) == '"[private key 1]\\n"'
    block = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINES}-----END PRIVATE KEY-----"
    quoted = "\n".join(f"> {part}" for part in block.splitlines())
    assert redacted(quoted) == "> [private key 1]"


def test_a_key_without_its_end_goes_as_far_as_it_looks_like_one() -> None:
    text = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINES}c2hvcnQ=\n\nAnd then I went home."
    assert redacted(text) == "[private key 1]\n\nAnd then I went home."


def test_the_same_key_has_the_same_number() -> None:
    block = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINES}-----END PRIVATE KEY-----"
    other = block.replace("MIIE", "MIIF")
    assert redacted(f"{block}\n{other}\n{block}") == (
        "[private key 1]\n[private key 2]\n[private key 1]"
    )


def test_finds_say_where_they_were_in_the_original() -> None:
    text = "Ünïcödé 🐝 anna@example.org, bob@example.org"
    result = redact(document(text))
    assert [text[find.start : find.end] for find in result.redactions] == [
        "anna@example.org",
        "bob@example.org",
    ]
    assert result.rules_version == RULES_VERSION


def test_no_text_is_shown_when_a_document_is_printed() -> None:
    shown = repr(redact(document("the bees of anna@example.org")))
    assert "bees" not in shown
    assert "anna" not in shown
    assert "a.txt" not in shown


PIECES = [
    *HOSTILE, "anna@example.org", "-----END PRIVATE KEY-----", KEY_LINES, "\n", "x", "é", "🐝",
    "[email 1]", "[password 12]", "[phone 1]", "[card", " 1]", "password", "password: ", "password is ",
    "=", ": ", "'", '"', "hunter2", "token=", made("ghp_{w36}"), made("{h32}"), "datadog ", "+49 30 ",
    "901820", "030 ", "4111 1111 ", "1111 1111", "tel. ", "12", "-", "/", "DE89 3704 0044 ", "0532 0130 00",
    "111.444.777-35", "https://a:", "b@c.de", "cookie: a=", "authorization: basic ", "пароль: ", ";", "&", "?",
]  # fmt: skip
TEXTS = st.lists(
    st.sampled_from(PIECES),
    max_size=30,
).map("".join)


@given(TEXTS)
@settings(deadline=None, max_examples=400)
def test_redaction_leaves_nothing_to_redact(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


def test_what_was_redacted_before_stays_and_new_numbers_go_on_from_it() -> None:
    text = "From [email 2] and [phone 7] to b@example.org, a@example.org, b@example.org"
    kept = "From [email 2] and [phone 7] to [email 3], [email 4], [email 3]"
    assert redacted(text) == kept
    assert redacted(kept) == kept


@pytest.mark.parametrize("kind", KINDS)
def test_a_placeholder_is_neither_a_secret_nor_a_sign_of_one(kind: str) -> None:
    for text in (
        f"password = [{kind} 1]",
        f"password: '[{kind} 1]'",
        f"my password is [{kind} 3], and [{kind} 4] 1234567 was the other",
        f"Authorization: Bearer [{kind} 1]",
        f"https://bob:[{kind} 1]@example.org/",
        f"[{kind} 12]@example.org",
        f"token=[{kind} 1]abcdef",
    ):
        assert redacted(text) == text


def test_every_kind_has_its_own_spelling_of_the_same() -> None:
    assert set(SAME) == set(KINDS)
    text = "+49 30 901820 or +49-30-901820, 4111 1111 1111 1111 or 4111-1111-1111-1111"
    assert redacted(text) == "[phone 1] or [phone 1], [card 1] or [card 1]"


@given(TEXTS | st.text(max_size=200))
@settings(deadline=None, max_examples=150)
def test_the_text_around_the_finds_is_untouched(text: str) -> None:
    result = redact(document(text))
    at, rest = 0, result.text
    for find in result.redactions:
        assert at <= find.start < find.end <= len(text)
        before = text[at : find.start]
        assert rest.startswith(f"{before}[{find.kind} ")
        rest = rest[len(before) :].partition("]")[2]
        at = find.end
    assert rest == text[at:]


@pytest.mark.parametrize(
    "piece",
    [
        *HOSTILE, "aaaa@" * 3 + "-----BEGIN PRIVATE KEY-----\n", "a.a@", "x", "x-", "0", "1 ", "4111 ",
        "+1 ", "DE89", "password=", "password is ", "token:", "?key=", "cookie: a=", "-eyJa", "://a:",
        "kty{", "PuTTY-User-Key-File-2: a\n", "machine a login b ", "0a", "пароль ", "\n", "[email 1]",
        "A" * 24 + "\n-----END PRIVATE KEY-----\n", "1.1.1.1 ", "=", "'",
    ],
)  # fmt: skip
def test_no_text_makes_redaction_slow(piece: str) -> None:
    """Eight times the text may take eight times as long; a quadratic rule takes 64 times."""

    def seconds(size: int) -> float:
        text = piece * (size // len(piece)) + "PRIVATE KEY"
        begun = time.thread_time()  # of this thread: other tests leave theirs behind
        find_secrets(text)
        return time.thread_time() - begun

    small = max(min(seconds(4_000) for _ in range(3)), 0.001)
    assert min(seconds(32_000) for _ in range(3)) < 30 * small  # one may meet a collection
