"""Adapters that change while clients are answered: a real vault, a real engine, a real socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.engine_handle import EngineHandle, EngineState
from daemon.fair_queue import FairQueue, QueuePolicy
from daemon.loaded_adapters import AdapterBounds
from daemon.serving import Serving
from daemon.vault_door import VaultDoor
from ipc.inference_api import inference_app
from storage.records import sha256_hex
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, publish
from trainer.adapter_format import LoraShape
from trainer.base_model import load_base
from trainer.bench.adapter_values import set_adapter
from trainer.builtin_base import BUILTIN_BASE
from trainer.lora import LoraBank

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMS, SWAPS, TOKENS = 8, 20, 40
SOON_SECONDS = 60.0
ENDLESS = "He went down to the river, and"  # the base goes on for longer than a test does
QUESTIONS = [f"In the year {1700 + 20 * number} the" for number in range(STREAMS)]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    model: str
    text: str
    tokens: int


@dataclass(kw_only=True)
class House:
    """A service without its process."""

    socket: Path
    client: aiohttp.ClientSession
    door: VaultDoor
    engine: EngineHandle
    queue: FairQueue
    weights: tuple[bytes, ...]
    base: str

    @property
    def digests(self) -> list[str]:
        return [sha256_hex(data) for data in self.weights]

    async def use(self, number: int) -> str:
        """Have this adapter answer from now on; how it is called."""
        digest = self.digests[number]
        await self.door.call(lambda vault: vault.shelf.use(digest))
        return f"personal@{digest[:12]}"

    async def publish(self, number: int, parent: str | None = None) -> str:
        """Have a new one answer from now on; how it is called."""
        adapter = await self.door.call(
            lambda vault: publish(vault, self.weights[number], parent, base=self.base)
        )
        return f"personal@{adapter.sha256[:12]}"

    async def chunks(self, prompt: str, **more: Any) -> AsyncGenerator[Json, None]:
        asked = {"model": "personal", "prompt": prompt, "temperature": 0, "stream": True}
        asked |= {"stream_options": {"include_usage": True}} | more
        async with self.client.post("http://nightloom/v1/completions", json=asked) as answer:
            if answer.status != 200:
                yield await answer.json()
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line.removeprefix(b"data: "))

    async def ask(self, prompt: str, **more: Any) -> Answer:
        texts, model, tokens = [], "", 0
        async for chunk in self.chunks(prompt, **more):
            assert "error" not in chunk, chunk
            model = chunk["model"]
            texts += [choice["text"] for choice in chunk["choices"]]
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
        return Answer(model=model, text="".join(texts), tokens=tokens)

    async def error(self, prompt: str, **more: Any) -> str:
        """The code of the error that ends a stream, or that comes in its place."""
        chunks = [chunk async for chunk in self.chunks(prompt, **more)]
        code: str = chunks[-1]["error"]["code"]
        return code


def adapters(count: int) -> tuple[tuple[bytes, ...], str]:
    """Random ones of the built-in base, as loud as if they had learned something."""
    base = load_base(BUILTIN_BASE)
    bank = LoraBank(base.model, base.identity)
    made = []
    for seed in range(count):
        bank.create("made", LoraShape(rank=4), seed=seed)
        set_adapter(bank.parameters("made"), learned=True, seed=seed)
        made.append(bank.save("made"))
    return tuple(made), base.identity


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("s")
    weights, identity = await asyncio.to_thread(adapters, 5)
    vault, _ = Vault.create(folder / "vault", passphrase=PASSPHRASE, argon2=FAST)
    for data in weights[:3]:
        publish(vault, data, base=identity)
    async with contextlib.AsyncExitStack() as cleanup:
        door = VaultDoor(vault)
        cleanup.push_async_callback(door.close)
        base = ChosenBase(Bases(folder / "bases"), "builtin")
        engine = EngineHandle(
            base_folder=base.folder,
            weights=lambda digest: door.call(lambda vault: vault.shelf.weights(digest)),
            threads=1,
            bounds=AdapterBounds(count=1),
        )
        cleanup.push_async_callback(engine.stop)
        queue = FairQueue(QueuePolicy(at_once=STREAMS + 1, waiting=1, newcomers=0))
        serving = Serving(vault=door, engine=engine, base=base, started_at=0, queue=queue)
        runner = aiohttp.web.AppRunner(inference_app(serving, ping_seconds=0.05))
        await runner.setup()
        cleanup.push_async_callback(runner.cleanup)
        await aiohttp.web.UnixSite(runner, folder / "api.sock").start()
        connector = aiohttp.UnixConnector(str(folder / "api.sock"), limit=0)
        client = await cleanup.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield House(
            socket=folder / "api.sock", client=client, door=door, engine=engine, queue=queue,
            weights=weights, base=identity,
        )  # fmt: skip


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while not holds():  # noqa: ASYNC110 - it happens in the server's tasks
            await asyncio.sleep(0.001)


def state(house: House) -> EngineState:
    return house.engine.state


async def test_a_client_that_comes_first_waits_for_the_base_and_is_answered(house: House) -> None:
    await house.engine.stop()
    assert state(house) is EngineState.STOPPED
    first = asyncio.create_task(house.ask(QUESTIONS[0], max_tokens=3))
    await until(lambda: state(house) is not EngineState.STOPPED or first.done())
    assert state(house) is EngineState.LOADING
    hurried = asyncio.create_task(house.ask(QUESTIONS[0], max_tokens=3))
    assert await first == await hurried
    assert state(house) is EngineState.SERVING


async def test_streams_say_what_each_says_alone_however_often_the_adapter_is_changed(
    house: House,
) -> None:
    streams: list[asyncio.Task[Answer]] = []
    names = []
    async with asyncio.timeout(SOON_SECONDS):
        for swap in range(SWAPS):
            if swap == SWAPS // 2:
                await house.publish(4)
            names.append(await house.use((0, 1, 4)[swap % (2 if swap < SWAPS // 2 else 3)]))
            if len(streams) < STREAMS:
                asking = house.ask(QUESTIONS[len(streams)], max_tokens=TOKENS)
                streams.append(asyncio.create_task(asking))
            short = await house.ask("The", max_tokens=1)
            assert short.model == names[-1]
        together = [await stream for stream in streams]
        alone = [
            await house.ask(question, model=answer.model, max_tokens=TOKENS)
            for question, answer in zip(QUESTIONS, together, strict=True)
        ]
    assert together == alone
    assert len({answer.model for answer in together}) == 2
    assert sum(answer.tokens for answer in together) > STREAMS * TOKENS / 2
    other = await house.ask(QUESTIONS[0], model=names[-1], max_tokens=TOKENS)
    assert (other.model, other.text) != (alone[0].model, alone[0].text)


async def test_rollback_answers_from_the_parent_and_a_stream_ends_as_it_began(
    house: House,
) -> None:
    child = await house.publish(3, house.digests[0])
    streaming = house.chunks(QUESTIONS[1], max_tokens=TOKENS)
    first = await anext(streaming)
    await house.door.call(lambda vault: vault.shelf.rollback())
    after = await house.ask(QUESTIONS[1], max_tokens=1)
    rest = [chunk async for chunk in streaming]
    assert {chunk["model"] for chunk in [first, *rest]} == {child}
    assert after.model == f"personal@{house.digests[0][:12]}"


async def test_looking_keeps_no_engine_alive(house: House) -> None:
    await house.ask("The", max_tokens=1)
    timer = house.engine._idle_timer
    assert timer is not None
    async with house.client.get("http://nightloom/v1/models") as answer:
        listed = await answer.json()
    assert len(listed["data"]) > 2
    assert (state(house), house.engine.resident_bytes() > 0) == (EngineState.SERVING, True)
    assert await house.engine.answers(seconds=SOON_SECONDS)
    assert house.engine._idle_timer is timer
    assert not timer.cancelled()


async def test_only_as_many_adapters_stay_as_may(house: House) -> None:
    for number in (0, 1, 2):
        await house.use(number)
        await house.ask("The", max_tokens=1)
    running = house.engine._running
    assert running is not None
    await house.engine._adapters.settled()
    assert [digest in running.adapters for digest in house.digests[:3]] == [False, False, True]


async def test_a_stream_whose_adapter_is_forgotten_ends_with_an_error_and_others_go_on(
    house: House,
) -> None:
    await house.use(0)
    await house.ask("The", model="base", max_tokens=1)  # there is an engine
    tainted = asyncio.create_task(house.error(QUESTIONS[2], max_tokens=900))
    clean = asyncio.create_task(house.ask(QUESTIONS[2], model="base", max_tokens=40))
    digest = house.digests[0]
    running = house.engine._running
    assert running is not None
    try:
        async with asyncio.timeout(SOON_SECONDS):
            await until(lambda: running.adapters._users[digest])
            house.engine.take_away([digest])
            killed = await house.engine.purge([digest], seconds=SOON_SECONDS)
            assert await tainted == "adapter_withdrawn"
            assert (await clean).tokens > 0
        assert not killed
        assert digest not in running.adapters
    finally:
        house.engine.give_back([digest])


async def test_who_hangs_up_makes_room_at_once_and_who_finds_none_is_told_when(
    house: House,
) -> None:
    async def endless() -> None:
        async for _ in house.chunks(ENDLESS, model="base", max_tokens=1000):
            pass

    async with asyncio.timeout(SOON_SECONDS):
        streams = [asyncio.create_task(endless()) for _ in range(STREAMS + 1)]
        await until(lambda: house.queue.inside > STREAMS)
        waiting = asyncio.create_task(house.ask("The", model="base", max_tokens=2))
        await until(lambda: house.queue.waiting)
        asked = {"model": "base", "prompt": "The"}
        async with house.client.post("http://nightloom/v1/completions", json=asked) as refused:
            assert refused.status == 429
            assert int(refused.headers["Retry-After"]) >= 1
        streams[3].cancel()
        assert (await waiting).tokens == 2
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await until(lambda: not house.queue.inside)
