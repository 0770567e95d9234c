"""One curating child, as the service sees it: started, given texts, asked once, ended."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

from daemon.curation_wire import (
    ANSWER_BYTES,
    ChildLiedError,
    TextNote,
    unpacked_facts,
    unpacked_notes,
)
from daemon.extracting.child_handle import child_environment
from daemon.linked_child import start_linked
from ipc.errors import LinkError
from ipc.frames import Body
from ipc.link import AsyncLink, Message
from trainer.curation_facts import TextFacts

WAIT_SECONDS = 600.0  # for one lot of texts, on a machine that is busy with other things


class ChildFailedError(Exception):
    """The child is gone, lied or took too long."""


class CuratingProcess:
    """Made by `curating_child`."""

    def __init__(self, link: AsyncLink) -> None:
        self._link = link

    async def give(self, texts: Body, ids: Collection[int]) -> list[TextNote]:
        """What the child noted of these texts, of which these are the numbers.

        Raises:
            ChildFailedError: it did not.
        """
        answer = await self._ask("texts", texts, "taken")
        try:
            notes = list(unpacked_notes(answer))
        except ChildLiedError:
            raise ChildFailedError from None
        if sorted(note.document_id for note in notes) != sorted(ids):
            raise ChildFailedError
        return notes

    async def remind(self, notes: Body) -> None:
        """Give it what earlier ones noted. Raises `ChildFailedError`."""
        await self._ask("notes", notes, "taken")

    async def facts(self, asked: Collection[int]) -> dict[int, TextFacts]:
        """Raises `ChildFailedError`. Nothing can be asked afterwards."""
        answer = await self._ask("facts", b"", "facts")
        try:
            return unpacked_facts(answer, asked)
        except ChildLiedError:
            raise ChildFailedError from None

    async def _ask(self, op: str, body: Body, event: str) -> Body:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._link.send(Message(header={"op": op}, body=body))
                answer = await self._link.receive()
        except (LinkError, TimeoutError):
            raise ChildFailedError from None
        if answer.header != {"event": event}:
            raise ChildFailedError
        return answer.body


@contextlib.asynccontextmanager
async def curating_child() -> AsyncGenerator[CuratingProcess, None]:
    """A child that is gone when the block is left, however that is.

    Raises:
        ChildFailedError: it cannot be started.
    """
    try:
        process, ours = await start_linked(
            "daemon.curating",
            environment=child_environment(os.environ) | {"RAYON_NUM_THREADS": "1"},
            silent=True,
            folder=Path("/"),
        )
    except OSError:
        raise ChildFailedError from None
    link = await AsyncLink.connect(ours, limit=ANSWER_BYTES)
    try:
        yield CuratingProcess(link)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(_gone(process, link))


async def _gone(process: asyncio.subprocess.Process, link: AsyncLink) -> None:
    await link.close()
    await process.wait()
