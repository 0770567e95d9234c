"""The checks of an audit, one after the other: the vault in its thread, files in another.

Yields how far it is, and a `Finding` for each check. Holds a sample of the stored text for as long
as it looks for it, and nothing else.
"""

import asyncio
import os
import random
import stat
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.auditing.clear_text import ClearText, files_below
from daemon.auditing.history import Json
from daemon.auditing.permissions import everything, opened
from daemon.auditing.snippets import Snippet, all_forms, snippets_of
from daemon.doctor import Finding
from daemon.home import Home
from daemon.vault_door import VaultDoor
from storage.errors import StorageError
from storage.forgetting import FORGOTTEN, check_forgotten
from storage.vault import Vault
from storage.verification import VaultReport
from storage.witnessing import statements

SAMPLE_DOCUMENTS = 100
MOST_NAMED = 3  # files that a finding names


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far it is: the name of the check and, where that is known, the share that is done."""

    check: str
    share: float | None = None

    def to_json(self) -> Json:
        return {"check": self.check, "share": self.share}


Told = Step | Finding


class Examination:
    """
    Args:
        door: to the vault.
        home: whose folders are looked at.
        choose: draws the sample; tests give one that always draws the same.
    """

    def __init__(self, door: VaultDoor, home: Home, *, choose: random.Random | None = None) -> None:
        self._door = door
        self._home = home
        self._choose = choose or random.SystemRandom()

    async def run(self, *, quick: bool) -> AsyncGenerator[Told, None]:
        """All checks; a quick one opens no text and reads no file's content.

        Raises VaultIsLocked, StorageError.
        """
        yield Step(check="events")
        yield _events(await self._door.call(lambda vault: vault.ledger.broken_links()))
        yield await self._door.call(_witness)
        yield await self._door.call(_forgotten)
        yield Step(check="permissions")
        yield await asyncio.to_thread(_permissions, self._home)
        if quick:
            return
        yield Step(check="seals")
        yield _seals(await self._door.call(lambda vault: vault.verify()))
        async for told in self._nothing_in_clear():
            yield told

    # ------------------------------------------------------------------- text in clear

    async def _nothing_in_clear(self) -> AsyncGenerator[Told, None]:
        check = "nothing in clear"
        yield Step(check=check)
        snippets = await self._sample()
        if not snippets:
            yield Finding(name=check, holds=None, value="there is no text to look for yet")
            return
        looking = _Looking(ClearText(all_forms(snippets)))
        files = await asyncio.to_thread(_sizes, self._home)
        total, done = sum(size for _, size in files) or 1, 0
        try:
            for file, size in files:
                await asyncio.to_thread(looking.at, file)
                done += size
                yield Step(check=check, share=done / total)
        finally:
            looking.stop.set()  # also of a large file that is being read in its thread
        documents = len({one.document for one in snippets})
        yield looking.finding(check, len(snippets), documents)

    async def _sample(self) -> list[Snippet]:
        heads = await self._door.call(lambda vault: vault.documents.heads())
        ids = [head.document_id for head in heads]
        snippets: list[Snippet] = []
        for number in self._choose.sample(ids, min(SAMPLE_DOCUMENTS, len(ids))):
            read = _reading(number)
            text = await self._door.call(read)
            snippets += snippets_of(number, text, self._choose)
        return snippets


class _Looking:
    """Goes through files; may be stopped from another thread."""

    def __init__(self, text: ClearText) -> None:
        self._text = text
        self._found: list[str] = []
        self._unread = self._files = self._bytes = 0
        self.stop = threading.Event()

    def at(self, file: Path) -> None:
        try:
            if self._text.is_in(file, self._count):
                self._found.append(str(file))
            self._files += 1
        except FileNotFoundError:
            return  # it went meanwhile
        except OSError:
            self._unread += 1

    def finding(self, check: str, snippets: int, documents: int) -> Finding:
        looked = (
            f"{snippets} pieces of {documents} documents, in {self._files} files "
            f"({self._bytes / 1e6:.0f} MB)"
        )
        if self._found:
            named = ", ".join(self._found[:MOST_NAMED])
            return Finding(
                name=check,
                holds=False,
                value=f"stored text lies in clear in {len(self._found)} files: {named}",
                advice="Look at these files and delete them unless they are yours.",
            )
        if self._unread:
            return Finding(
                name=check,
                holds=False,
                value=f"{self._unread} files could not be read",
                advice="Give yourself the right to read nightloom's own files.",
            )
        return Finding(name=check, holds=True, value=f"looked for {looked}")

    def _count(self, size: int) -> None:
        self._bytes += size
        if self.stop.is_set():
            raise InterruptedError


# --------------------------------------------------------------------------- single checks


def _events(broken: list[int]) -> Finding:
    if not broken:
        return Finding(name="events", holds=True, value="follow from one another, none is missing")
    return Finding(
        name="events",
        holds=False,
        value=f"{len(broken)} do not follow from the one before (first: number {broken[0]})",
        advice="Somebody changed the database; go back to a backup that you trust.",
    )


def _witness(vault: Vault) -> Finding:
    """Whether the database is as new as what was noted of it elsewhere."""
    told = {one.outsider.value: one.agrees for one in statements(vault)}
    against = [name for name, agrees in told.items() if agrees is False]
    agreeing = " and the ".join(name for name, agrees in told.items() if agrees)
    if against:
        return Finding(
            name="witness",
            holds=False,
            value=f"the database is not what the {' and the '.join(against)} has seen of it",
            advice="An older copy was put in its place; look who did that.",
        )
    if not agreeing:
        return Finding(
            name="witness",
            holds=False,
            value="nothing outside the database says how new it is",
            advice="Stop the service and start it again: it makes a new witness.",
        )
    return Finding(
        name="witness",
        holds=True,
        value=f"the events and all tables agree with what the {agreeing} has seen",
    )


def _forgotten(vault: Vault) -> Finding:
    events = [event for event in vault.ledger.events() if event["kind"] == FORGOTTEN]
    problems = [problem for event in events for problem in check_forgotten(vault, event)]
    if problems:
        return Finding(
            name="forgotten",
            holds=False,
            value="; ".join(dict.fromkeys(problems)),
            advice="Run the same `nightloom privacy forget` again.",
        )
    if not events:
        return Finding(name="forgotten", holds=True, value="nothing was forgotten yet")
    often = "once" if len(events) == 1 else f"{len(events)} times"
    return Finding(name="forgotten", holds=True, value=f"{often}, and all of it stayed gone")


def _permissions(home: Home) -> Finding:
    found = opened(everything(home), uid=os.geteuid())
    if not found:
        return Finding(
            name="permissions", holds=True, value="files and folders are their owner's alone"
        )
    named = ", ".join(f"{one.path} ({one.mode:04o})" for one in found[:MOST_NAMED])
    return Finding(
        name="permissions",
        holds=False,
        value=f"{len(found)} files or folders are open to others: {named}",
        advice="Take the rights of others away: `chmod go-rwx` on each of them.",
    )


def _seals(report: VaultReport) -> Finding:
    if report.intact:
        return Finding(
            name="seals",
            holds=True,
            value=f"the manifest holds and every seal opens (generation {report.generation})",
        )
    problems = [] if report.manifest_opens else ["the manifest does not open"]
    problems += [f"table {one.table} was changed" for one in report.tables]
    for what, found in (("rows", report.damaged_rows), ("files", report.damaged_files)):
        if found:
            problems.append(f"{len(found)} {what} do not open")
    if report.broken_event_links:
        problems.append("the chain of events is broken")
    return Finding(
        name="seals",
        holds=False,
        value="; ".join(problems),
        advice="Go back to a backup that you trust: `nightloom restore`.",
    )


# --------------------------------------------------------------------------- reading


def _reading(number: int) -> Callable[[Vault], str]:
    def read(vault: Vault) -> str:
        try:
            document = vault.documents.read(number)
            return "\n".join((document.text, *document.about.values()))
        except StorageError:
            return ""  # damaged, which `seals` tells, or forgotten just now

    return read


def _sizes(home: Home) -> list[tuple[Path, int]]:
    """Regular files of the home, with their sizes."""
    found: list[tuple[Path, int]] = []
    tops = (home.vault, home.runtime, home.bases, *home.own_folders)
    for file in files_below(tops):
        try:
            status: Any = file.lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((file, status.st_size))
    return found
