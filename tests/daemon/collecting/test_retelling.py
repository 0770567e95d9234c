"""Who the user is in a chat can be said later; the words that are kept are told anew then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.collecting.putting import add_and_tell, put_and_tell, remove_and_tell
from daemon.collecting.redaction import redact
from storage.known_files import FileStamp
from storage.records import (
    CollectedDocument,
    DocumentState,
    RedactedDocument,
    SourceSettings,
    SpokenTurn,
)
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE

TEXT = "A: Is the ladder back?\nB: Since Thursday."


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        yield vault


def chat(*own: str, whole: bool = True) -> RedactedDocument:
    turns = tuple(
        SpokenTurn(own=name in own, speaker="me" if name in own else name, start=start, end=end)
        for name, start, end in (("A", 3, 22), ("B", 26, len(TEXT)))
    )
    return redact(
        CollectedDocument(
            source="c", path="a#1", modified_at=1.0, text=TEXT, turns=turns, own=whole
        )
    )


def own_words(vault: Vault) -> list[str]:
    document = vault.documents.read(1)
    return [document.text[turn.start : turn.end] for turn in document.turns if turn.own]


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (DocumentState.NEW, DocumentState.NEW),
        (DocumentState.LEARNED, DocumentState.NEW),
        (DocumentState.STABLE, DocumentState.STABLE),
    ],
)
def test_words_that_turn_out_to_be_the_users_are_learned(
    vault: Vault, state: DocumentState, after: DocumentState
) -> None:
    put_and_tell(vault, [chat()])
    vault.documents.set_states({1: state})
    put_and_tell(vault, [chat("B")])
    assert own_words(vault) == ["Since Thursday."]
    (head,) = vault.documents.heads()
    assert (head.version, head.state) == (1, after)
    assert vault.verify().intact


def test_what_is_told_as_before_stays_as_it_is(vault: Vault) -> None:
    put_and_tell(vault, [chat("B")])
    vault.documents.set_states({1: DocumentState.LEARNED})
    put_and_tell(vault, [chat("B")])
    assert vault.documents.heads()[0].state is DocumentState.LEARNED
    put_and_tell(vault, [chat("B", whole=False)])
    assert vault.documents.read(1).own is False


def test_a_source_that_was_removed_is_read_anew_when_it_comes_back(vault: Vault) -> None:
    add_and_tell(vault, SourceSettings(name="c", kind="chats", path="/chats"))
    stamps = {"a": FileStamp(mtime_ns=1, size=2, rules_version=1)}
    vault.known_files.remember("c", stamps)
    remove_and_tell(vault, "c")
    assert vault.known_files.unchanged("c", stamps) == set()
