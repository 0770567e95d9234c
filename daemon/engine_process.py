"""One engine process, as the service sees it: started, asked over its link, and ended.

What it answers is handed on as messages; what they are worth is checked by whoever asked. When it
dies, every open request ends with `EngineDied`; when it answers more than anybody takes, it is
killed. Knows nothing of bases, adapters or when an engine is wanted.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from daemon.errors import AdapterTakenAway, EngineDied, EngineFailed, EngineFlooded
from daemon.linked_child import start_linked
from daemon.replies import TRAINING_LIMIT_BYTES, WAITING_LIMIT_BYTES, Replies
from ipc.errors import LinkError
from ipc.frames import Body
from ipc.link import AsyncLink, Message

log = logging.getLogger("nightloom.engine")

END_SECONDS = 0.5  # for an engine whose link is closed: it has nothing to save


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Something that goes before a request: a document's text, an adapter's bytes."""

    name: str
    body: Body = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict)


class EngineProcess:
    """A process and the requests that wait for it. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, link: AsyncLink) -> None:
        self._process = process
        self._link = link
        self._numbers = itertools.count(1)
        self._replies: dict[int, Replies] = {}
        self._adapters: dict[int, frozenset[str]] = {}  # that each request is answered by
        self._pump = asyncio.create_task(self._read(), name="engine replies")
        self.gone = False

    @classmethod
    async def start(cls) -> Self:
        process, ours = await start_linked(
            "daemon.engine", environment=engine_environment(os.environ)
        )
        return cls(process, await AsyncLink.connect(ours))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(
        self,
        op: str,
        parameters: dict[str, Any],
        body: Body = b"",
        attachments: AsyncIterator[Attachment] | None = None,
        adapters: Collection[str] = (),
    ) -> AsyncGenerator[Message, None]:
        """Its messages, the last one is `done`; closing the generator before cancels the request.

        Args:
            adapters: digests that the answer comes from; see `take_away`.

        Raises:
            EngineFailed: the engine answered `failed`.
            AdapterTakenAway: one of its adapters was taken away.
            EngineDied: the process is gone.
        """
        if self.gone:
            raise EngineDied
        number = next(self._numbers)
        replies = Replies(TRAINING_LIMIT_BYTES if op == "train" else WAITING_LIMIT_BYTES)
        self._replies[number] = replies
        self._adapters[number] = frozenset(adapters)
        finished = False
        try:
            if attachments is not None:
                async for attached in attachments:
                    header = {"id": number, "attach": attached.name, **attached.facts}
                    await self._link.send(Message(header=header, body=attached.body))
            header = {"id": number, "op": op, "parameters": parameters}
            await self._link.send(Message(header=header, body=body))
            while not finished:
                message = await replies.get()
                event = message.header.get("event")
                finished = event in ("done", "failed")
                if event == "failed":
                    raise EngineFailed.from_header(message.header)
                yield message
        except LinkError as error:
            raise EngineDied() from error
        finally:
            del self._replies[number]
            del self._adapters[number]
            if not finished:
                await self._tell("cancel", number)

    def take_away(self, adapters: Collection[str]) -> None:
        """Requests that these answer end now with `AdapterTakenAway`, and are cancelled."""
        for number, used in self._adapters.items():
            if not used.isdisjoint(adapters):
                self._replies[number].end(AdapterTakenAway)

    async def stop_training(self) -> None:
        """Ask whatever trains to give a checkpoint and end."""
        for number in list(self._replies):
            await self._tell("stop_training", number)

    async def end(self, *, patiently: bool = True) -> None:
        """Close the link, and see that the process is gone."""
        self.gone = True
        await self._link.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_SECONDS if patiently else 0.0)
        except TimeoutError:
            self._kill()
            await self._process.wait()
        await self._pump

    async def _tell(self, op: str, target: int) -> None:
        """Something about another request, which has no answer."""
        if not self.gone:
            with contextlib.suppress(LinkError):
                await self._link.send(Message(header={"id": 0, "op": op, "target": target}))

    async def _read(self) -> None:
        """Hand every reply to the request that waits for it, until the engine is gone."""
        reason = EngineDied
        try:
            with contextlib.suppress(LinkError):
                while True:
                    message = await self._link.receive()
                    number = message.header.get("id")
                    replies = self._replies.get(number) if type(number) is int else None
                    if replies is not None:
                        replies.put(message)
        except EngineFlooded:
            log.error("the engine sent more than it was asked for, and is ended")
            reason = EngineFlooded
            self._kill()
        finally:
            self.gone = True
            for replies in self._replies.values():
                replies.end(reason)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def body_json(value: object) -> bytes:
    """A request's private part: it goes into the body, which nothing ever logs."""
    return json.dumps(value, ensure_ascii=False).encode()


def engine_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the engine may know of our environment: no home, no passphrase file."""
    kept = {
        name: value
        for name, value in ours.items()
        if name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "OMP_NUM_THREADS",
                    "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PYTHONPATH")
    }  # fmt: skip
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Threads that wait for each other give their core away soon: 4 % slower alone, and beside
        # a busy loop 700 to 1,240 instead of 670 to 930 tokens/s (2 cores, one short run each).
        "GOMP_SPINCOUNT": "1000",
    }
