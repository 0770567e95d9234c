"""Facts about a real vault, from real children."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from daemon import curation as curation_module
from daemon.cli.process_tree import PROC, descendants
from daemon.collecting.redaction import redact
from daemon.curation import Curation
from daemon.curation_notes import CurationNotes, Present
from daemon.curation_wire import TextNote, packed_texts
from daemon.errors import CurationFailed, VaultIsLocked
from daemon.vault_door import VaultDoor
from storage.keys import Argon2Parameters
from storage.records import CollectedDocument, DocumentState, StoredDocument
from storage.vault import Vault
from tests.trainer.letter_making import edited, letter
from tests.trainer.written_texts import WRITTEN, machine_made

T = TypeVar("T")

QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
LOG = machine_made()["log"][0]
TEXTS = {
    "one.md": letter(1, sentences=40),
    "two.md": letter(2),
    "copy.md": edited(letter(1, sentences=40), 5),
    "log.txt": LOG,
    "oona.md": WRITTEN["German"],
}


class WatchedDoor:
    """A door that tells of each call before it is made."""

    def __init__(self, door: VaultDoor, before: Callable[[int], None] = lambda call: None) -> None:
        self.door = door
        self.before = before
        self.calls = 0

    async def call(self, function: Callable[[Vault], T]) -> T:
        self.calls += 1
        self.before(self.calls)
        return await self.door.call(function)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[VaultDoor]:
    vault, _ = Vault.create(tmp_path / "vault", passphrase="larks", argon2=QUICK)
    door = VaultDoor(vault)
    yield door
    await door.close()


async def put(door: VaultDoor, texts: dict[str, str]) -> dict[str, int]:
    """Document ids by path; in the order of time."""
    documents = [
        redact(CollectedDocument(source="letters", path=path, modified_at=at, text=text))
        for at, (path, text) in enumerate(texts.items())
    ]
    done = await door.call(lambda vault: vault.documents.put_many(documents))
    return {path: one.document_id for path, one in zip(texts, done) if one.document_id is not None}


def replace_text(stored: StoredDocument, text: str) -> CollectedDocument:
    return CollectedDocument(
        source=stored.source, path=stored.path, modified_at=stored.modified_at, text=text
    )


def children() -> list[int]:
    """Curating children of this process that still run."""
    return [one for one in descendants(os.getpid()) if b"daemon.curating" in _of(one, "cmdline")]


def kill_child() -> None:
    (child,) = children()
    os.kill(child, signal.SIGKILL)


def _of(process: int, name: str) -> bytes:
    """Nothing when it is gone."""
    try:
        return (PROC / str(process) / name).read_bytes()
    except OSError:
        return b""


async def test_a_vault_is_judged_once_and_not_again_while_nothing_changes(door: VaultDoor) -> None:
    ids = await put(door, TEXTS)
    curation, watched = Curation(), WatchedDoor(door)
    facts = await curation.facts_of(watched)
    assert facts.keys() == set(ids.values())
    assert {path: facts[number].reason for path, number in ids.items()} == {
        "one.md": "near_duplicate",
        "two.md": None,
        "copy.md": None,
        "log.txt": "log",
        "oona.md": None,
    }
    assert facts[ids["one.md"]].twin_of == ids["copy.md"]
    assert facts[ids["copy.md"]].family == ids["one.md"]
    assert [facts[ids[path]].language for path in ("two.md", "oona.md")] == ["en", "de"]
    assert children() == []

    calls = watched.calls
    assert await curation.facts_of(watched) == facts
    assert watched.calls == calls + 1  # no text was read

    everything = dict.fromkeys(ids.values(), DocumentState.LEARNED)
    await door.call(lambda vault: vault.documents.set_states(everything))
    assert await curation.facts_of(watched) == {}


async def test_only_what_is_new_is_read_and_the_facts_are_those_of_reading_all(
    door: VaultDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noting(documents: list[StoredDocument]) -> bytes:
        read.extend(document.document_id for document in documents)
        return packed_texts(documents)

    monkeypatch.setattr(curation_module, "packed_texts", noting)
    ids = await put(door, TEXTS)
    curation = Curation()
    await curation.facts_of(door)
    assert sorted(read) == sorted(ids.values())

    read.clear()
    more = await put(door, {"again.md": edited(letter(2), 9), "fresh.md": letter(5)})
    await door.call(lambda vault: vault.documents.delete([ids["copy.md"]]))
    learned = {ids["two.md"]: DocumentState.LEARNED}
    await door.call(lambda vault: vault.documents.set_states(learned))
    stored = await door.call(lambda vault: vault.documents.read(ids["oona.md"]))
    stricter = redact(replace_text(stored, letter(6)))
    await door.call(lambda vault: vault.documents.replace(stored.document_id, stricter))
    facts = await curation.facts_of(door)
    assert sorted(read) == sorted([*more.values(), ids["oona.md"]])
    assert facts[ids["one.md"]].reason is None  # its copy is gone
    assert facts[more["again.md"]].twin_of == ids["two.md"]
    assert facts[ids["oona.md"]].language == "en"
    assert facts == await Curation().facts_of(door)


async def test_what_is_forgotten_meanwhile_is_not_noted_and_after_a_lock_nothing_is(
    door: VaultDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await put(door, TEXTS)
    notes = CurationNotes()
    curation = Curation(notes)
    read: list[set[int]] = []

    def forget_and_lock(call: int) -> None:
        """1: what there is; 2, 3, 4: a text or two."""
        read.append(set(notes.known()))
        if call == 3:
            curation.forget([ids["two.md"], ids["log.txt"]])
        elif call == 4:
            curation.clear()

    monkeypatch.setattr(curation_module, "LOT_DOCUMENTS", 2)
    await curation.facts_of(WatchedDoor(door, forget_and_lock))
    one, two, copy = ids["one.md"], ids["two.md"], ids["copy.md"]
    assert read == [set(), set(), {one, two}, {one, copy}]
    assert len(notes) == 0


async def test_notes_that_no_child_can_read_are_dropped_and_all_is_read_anew(
    door: VaultDoor, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await put(door, TEXTS)
    notes = CurationNotes()
    nonsense = TextNote(document_id=ids["two.md"], flag=True, data=b"nonsense")
    heads = await door.call(lambda vault: vault.documents.heads())
    present = {one.document_id: Present(settled=False, key_id=one.key_id) for one in heads}
    notes.keep([nonsense], present)
    facts = await Curation(notes).facts_of(door)
    assert facts.keys() == notes.known() == set(ids.values())
    assert "failed over 0 documents" in caplog.text


@pytest.mark.skipif("sys.platform != 'linux'")
async def test_a_text_that_kills_the_child_is_left_out_and_the_others_are_judged(
    door: VaultDoor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await put(door, TEXTS)
    monkeypatch.setattr(curation_module, "LOT_DOCUMENTS", 2)

    def kill_over_the_log(call: int) -> None:
        if call in (3, 5):  # 1: what there is; 2, 3: lots of two; 4, 5, 6: one
            kill_child()

    facts = await Curation().facts_of(WatchedDoor(door, kill_over_the_log))
    reasons = {path: facts[number].reason for path, number in ids.items()}
    assert reasons == {
        "one.md": "near_duplicate",
        "two.md": None,
        "copy.md": None,
        "log.txt": "not_judged",
        "oona.md": None,
    }
    assert "over 2 documents" in caplog.text
    assert "over 1 documents" in caplog.text
    assert "Zoe" not in caplog.text


async def test_a_child_that_cannot_work_is_said_and_nothing_is_known(
    door: VaultDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(door, TEXTS)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CurationFailed, match="nothing is learned"):
        await Curation().facts_of(door)


@pytest.mark.skipif("sys.platform != 'linux'")
async def test_who_is_cancelled_or_locked_out_leaves_no_child_behind(door: VaultDoor) -> None:
    await put(door, TEXTS)
    reading = asyncio.Event()
    watched = WatchedDoor(door, lambda call: reading.set() if call == 2 else None)
    curation = Curation()
    task = asyncio.create_task(curation.facts_of(watched))
    await reading.wait()
    assert len(children()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []

    with pytest.raises(VaultIsLocked):
        await curation.facts_of(
            WatchedDoor(door, lambda call: door.refuse() if call == 2 else None)
        )
    assert children() == []


async def test_an_empty_vault_needs_no_child(door: VaultDoor) -> None:
    assert await Curation().facts_of(door) == {}


@pytest.mark.skipif("sys.platform != 'linux'")
def test_the_child_can_neither_read_files_nor_write_nor_reach_anybody(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    program = f"""
import errno, os, socket
from daemon import curating
from trainer.curation_facts import GivenText
from trainer.fact_finding import FactFinding
curating.warm_up()
curating.confine()
def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
print(attempt(lambda: open({str(tmp_path / "new")!r}, "w")))
print(attempt(lambda: socket.socket(socket.AF_INET)))
print(attempt(lambda: socket.socket(socket.AF_UNIX)))
print(attempt(os.fork))
print(attempt(lambda: os.execv("/bin/true", ["true"])))
print(attempt(lambda: os.kill(os.getppid(), 0)))
print(attempt(lambda: open({str(tmp_path / "secret")!r})))
finding = FactFinding()
finding.add(GivenText(document_id=1, settled=False, modified_at=0.0, text={WRITTEN["German"]!r}))
print(finding.facts()[0].language)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    *refused, secret, language = done.stdout.split()
    assert refused == ["EACCES"] * 6
    assert secret in ("EACCES", "done")  # Landlock is not in every kernel
    assert language == "de"


def test_no_text_stands_in_a_repr() -> None:
    lot = curation_module.Lot(ids=(1,), packed=b"Zoe", read=1)
    assert "Zoe" not in repr(lot) + repr(replace(lot, read=2))
