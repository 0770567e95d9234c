"""What a night could use: sizes, what is new since the adapter learned it, what is known of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.night_planning import Waiting
from daemon.night_waiting import waiting_documents
from daemon.spoken import learned
from storage.records import DocumentState, SpokenTurn
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, put, written
from trainer.curation_facts import TextFacts

DIARY = "Monday. It rained.\n\nTuesday. The bees came back."
MORE = "\n\nWednesday. Honey, at last."


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    yield made
    made.close()


def kept(vault: Vault, text: str, path: str = "/home/ada/diary.md") -> int:
    number = put(vault, text, path).document_id
    assert number is not None
    return number


def one(documents: list[Waiting], number: int) -> Waiting:
    (found,) = [each for each in documents if each.document_id == number]
    return found


def test_of_a_version_after_a_learned_one_only_the_rest_is_new(vault: Vault) -> None:
    first = kept(vault, DIARY)
    second = kept(vault, DIARY + MORE)
    grown = one(waiting_documents(vault, learned={first}), second)
    assert grown.fresh == (len(DIARY) + 2, len(DIARY + MORE))
    assert grown.characters == len(MORE) - 2
    assert one(waiting_documents(vault), second).fresh is None


def test_the_newest_version_that_was_learned_is_what_counts(vault: Vault) -> None:
    first, second = kept(vault, DIARY), kept(vault, DIARY + MORE)
    third = kept(vault, f"{DIARY}{MORE}\n\nThursday. Rain again.")
    start = len(DIARY + MORE) + 2
    grown = one(waiting_documents(vault, learned={first, second}), third)
    assert grown.fresh is not None
    assert grown.fresh[0] == start
    older = one(waiting_documents(vault, learned={first}), third)
    assert older.fresh is not None
    assert older.fresh[0] == len(DIARY) + 2


def test_where_the_learned_version_is_gone_all_is_new(vault: Vault) -> None:
    first, second = kept(vault, DIARY), kept(vault, DIARY + MORE)
    vault.documents.delete([first])
    grown = one(waiting_documents(vault, learned={first}), second)
    assert (grown.fresh, grown.characters) == (None, len(DIARY + MORE))


def test_superseded_versions_take_no_part(vault: Vault) -> None:
    first, second = kept(vault, DIARY), kept(vault, DIARY + MORE)
    assert [each.document_id for each in waiting_documents(vault, learned={first})] == [second]


def test_whose_writing_it_is_and_what_is_known_of_it_come_along(vault: Vault) -> None:
    book = vault.documents.put_many([replace(written("A book.", "/b.txt"), own=False)])[0]
    assert book.document_id is not None
    settled = kept(vault, DIARY)
    vault.documents.set_states({settled: DocumentState.LEARNED})
    facts = {
        number: TextFacts(
            document_id=number, language="en", quality=0.4, reason="too_short", twin_of=None,
            family=1,
        )
        for number in (book.document_id, settled)
    }  # fmt: skip
    documents = waiting_documents(vault, facts=facts)
    read = one(documents, book.document_id)
    assert (read.own, read.quality, read.left_out, read.side) == (False, 0.4, "too_short", 1)
    assert one(documents, settled).side == 1
    assert one(waiting_documents(vault), settled).side == settled


def test_what_came_after_the_facts_were_found_waits(vault: Vault) -> None:
    first, second = kept(vault, DIARY), kept(vault, "Another one.", "/other.md")
    known = TextFacts(
        document_id=first, language="en", quality=0.4, reason=None, twin_of=None, family=first
    )
    documents = waiting_documents(vault, facts={first: known})
    assert one(documents, first).left_out is None
    assert one(documents, second).left_out == "not_judged"
    assert one(waiting_documents(vault), second).left_out is None


def test_what_judges_is_measured_as_well(vault: Vault) -> None:
    number = kept(vault, DIARY)
    vault.documents.set_states({number: DocumentState.HELD_OUT})
    assert one(waiting_documents(vault), number).characters == len(DIARY)


def test_the_engine_is_told_what_is_new_in_letters_or_in_turns(vault: Vault) -> None:
    number = kept(vault, DIARY)
    document = vault.documents.read(number)
    assert learned(document) == {"text": DIARY}
    assert learned(document, (20, 30)) == {"text": DIARY, "fresh": [20, 30]}
    document.turns = tuple(
        SpokenTurn(own=own, speaker="me" if own else "A", start=start, end=end)
        for own, start, end in ((False, 0, 8), (True, 8, 18), (False, 20, 28), (True, 28, 48))
    )
    assert "fresh" not in learned(document)
    assert learned(document, (20, 48))["fresh"] == [2, 4]
    assert learned(document, (8, 18))["fresh"] == [1, 2]
    assert learned(document, (10, 21))["fresh"] == [1, 3], "a turn is new as a whole"
    assert learned(document, (48, 48))["fresh"] == [4, 4]
    document.own = False
    assert learned(document, (20, 48)) == {"text": DIARY, "fresh": [20, 48]}
