"""A document in a stricter wording: all of it moves together, and the old text is gone for good."""

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.document_rows import PutOutcome
from storage.errors import RowDamaged, SealBroken, UnknownDocument
from storage.records import DocumentState
from storage.vault import Vault
from tests.storage.making import lasting_heads, put, reopen, tampering, written

ROOT = Path(__file__).resolve().parents[2]


def test_number_item_version_state_and_day_stay(vault: Vault) -> None:
    put(vault, "First.", "/a.md")
    put(vault, "Second.", "/a.md")
    vault.documents.set_states({2: DocumentState.LEARNED})
    heads, old = lasting_heads(vault), vault.documents.read(2)
    vault.documents.replace(2, written("Stricter.", "/a.md"))
    assert lasting_heads(vault) == heads
    assert vault.documents.read(2) == dataclasses.replace(old, text="Stricter.")
    assert vault.documents.read(1).text == "First."
    assert vault.verify().intact


def test_the_new_text_is_the_one_that_a_file_is_compared_with(vault: Vault) -> None:
    put(vault, "First.", "/a.md")
    vault.documents.replace(1, written("Stricter.", "/a.md"))
    assert put(vault, "Stricter.", "/a.md").outcome is PutOutcome.UNCHANGED
    assert put(vault, "Stricter.", "/b.md").outcome is PutOutcome.DUPLICATE
    assert put(vault, "First.", "/b.md").outcome is PutOutcome.STORED


def test_the_old_text_cannot_be_opened_again(vault: Vault, folder: Path) -> None:
    put(vault, "The old wording.", "/a.md")
    with vault._database.reading() as database:
        rows = "SELECT sealed FROM document_texts", "SELECT id, key FROM documents"
        ((sealed,),), ((_, key),) = (database.execute(sql).fetchall() for sql in rows)
    vault.documents.replace(1, written("Stricter.", "/a.md"))
    with pytest.raises(SealBroken):
        vault._database.data_key(key)
    vault.close()
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert sealed not in files
    with tampering(folder) as connection:
        connection.execute("UPDATE document_texts SET sealed = ?", [sealed])
    with reopen(folder) as again, pytest.raises(RowDamaged):
        again.documents.read(1)


def test_a_document_that_there_is_not_is_named(vault: Vault) -> None:
    with pytest.raises(UnknownDocument):
        vault.documents.replace(7, written("Stricter."))


def test_a_replacement_that_is_given_up_leaves_everything_as_it_was(vault: Vault) -> None:
    put(vault, "First.", "/a.md")
    with pytest.raises(UnknownDocument), vault.transaction():  # noqa: PT012 - both are of one
        vault.documents.replace(1, written("Stricter.", "/a.md"))
        vault.documents.replace(7, written("Stricter.", "/a.md"))
    assert vault.documents.read(1).text == "First."
    assert vault.verify().intact


def test_outdated_are_those_that_were_kept_under_older_rules(vault: Vault) -> None:
    for number in range(300):
        version = 2 if number % 3 else 1
        one = dataclasses.replace(written(f"text {number}", f"/{number}"), rules_version=version)
        vault.documents.put_many([one])
    expected = [number + 1 for number in range(0, 300, 3)]
    assert vault.documents.outdated(2) == expected
    assert vault.documents.outdated(1) == []
    page = vault.documents.outdated_page(2, after=0)
    assert page.next_after is not None
    assert list(page.ids) == expected[: len(page.ids)]


@pytest.mark.parametrize(
    ("moment", "moved"),
    [
        ("replacement:written", False),
        ("commit:before", False),
        ("commit:after", True),
        ("witness:written", True),
    ],
)
def test_a_kill_leaves_the_old_text_or_the_new_one(
    vault: Vault, folder: Path, moment: str, moved: bool
) -> None:
    put(vault, "First.", "/a.md")
    vault.close()
    process = subprocess.run(
        [sys.executable, "-m", "tests.storage.replacing", str(folder), moment],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, "the moment never came"
    assert process.stdout == ""
    with reopen(folder) as again:
        assert again.documents.read(1).text == ("Stricter." if moved else "First.")
        assert again.verify().intact
