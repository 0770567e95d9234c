"""A kill while text is let go or adapters make room leaves all of it done, or nothing."""

from pathlib import Path

import pytest

from storage.known_files import FileStamp
from storage.records import AdapterStatus
from storage.vault import Vault
from tests.storage.making import publish, put, reopen
from tests.storage.test_crash import COMMIT, FILE, killed

DONE = ("commit:after", "witness:written")


@pytest.mark.parametrize("moment", ["removal:documents", *COMMIT])
def test_a_kill_while_text_is_let_go(vault: Vault, folder: Path, moment: str) -> None:
    stamps = {}
    for number in range(4):
        put(vault, f"text {number}", f"/{number}.md")
        stamps[f"/{number}.md"] = FileStamp(mtime_ns=1, size=2, rules_version=1)
    vault.known_files.remember("notes", stamps)
    vault.close()
    assert killed(folder, "let go", moment) == []
    with reopen(folder) as again:
        left = {"/0.md", "/3.md"} if moment in DONE else set(stamps)
        documents = [again.documents.read(head.document_id) for head in again.documents.heads()]
        assert {document.path for document in documents} == left
        assert again.known_files.unchanged("notes", stamps) == left
        assert again.verify().intact


@pytest.mark.parametrize("moment", ["moving:written", *COMMIT])
def test_a_kill_while_files_are_moved(vault: Vault, folder: Path, moment: str) -> None:
    numbers = [put(vault, f"text {number}", f"/{number}.md").document_id for number in (1, 2)]
    assert numbers == [1, 2]
    vault.close()
    assert killed(folder, "move", moment) == []
    with reopen(folder) as again:
        at = "/new" if moment in DONE else ""
        for number in (1, 2):
            document = again.documents.read(number)
            assert (document.path, document.text) == (f"{at}/{number}.md", f"text {number}")
        assert again.verify().intact


@pytest.mark.parametrize("moment", ["quota:adapter", *FILE, *COMMIT])
def test_a_kill_while_adapters_make_room(vault: Vault, folder: Path, moment: str) -> None:
    digests: list[str] = []
    for number in range(10):
        parent = digests[-1] if digests else None
        digests.append(publish(vault, bytes([number]) * 5000, parent=parent).sha256)
    vault.close()
    assert killed(folder, "make room", moment) == []
    with reopen(folder) as again:
        gone = [one for one in again.shelf.list() if one.status is AdapterStatus.WITHDRAWN]
        assert bool(gone) == (moment in DONE)
        for one in again.shelf.list():
            if one not in gone:
                assert len(again.shelf.weights(one.sha256)) == 5000
        assert again.verify().intact
        assert len(list((folder / "files" / "adapters").iterdir())) == 10
