"""Forgetting in a service's parts: chats that stream, nights that run, files that come back.

Vault, engine, collector and night shift are real; starting an engine takes seconds, so all tests
share one that starts again where a test has it killed.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.engine_handle import EngineHandle
from daemon.errors import NightForgotten
from daemon.forgetting_cost import relearning
from daemon.forgetting_operations import ForgettingOperations
from daemon.night_memory import NightMemory
from daemon.night_planning import NightPlan
from daemon.night_record import begin, planned, with_plan
from daemon.night_runner import NightRunner
from daemon.night_shift import NightShift
from daemon.night_stages import SAMPLE_COUNT, SAMPLE_SEED
from daemon.night_vault import NightVault
from daemon.serving import Serving
from daemon.shelf_operations import ShelfOperations
from daemon.vault_door import VaultDoor
from ipc.errors import AdapterWithdrawn, OperationError, UnknownModel
from ipc.forgetting_api import Named
from ipc.inference import GenerationRequest, Sampling, Started, TextPiece
from storage.adapter_withdrawal import KeptAdapter
from storage.forgetting import check_forgotten
from storage.forgetting_plan import ForgettingPlan
from storage.records import (
    AdapterStatus,
    CandidateAdapter,
    DocumentState,
    SourceSettings,
    sha256_hex,
)
from storage.vault import Vault
from tests.daemon.test_engine_process import alive, loud_adapter
from tests.daemon.test_night_shift import NOTES, NOW, OPTIONS
from tests.pipeline import tiny
from tests.storage.making import FAST, PASSPHRASE, passed, written
from trainer.base_format import read_facts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

CANARY = "The copper heron keeps the tide tables of Zennor harbour, and nobody else does."
SOON_SECONDS = 30.0
LONG = Sampling(max_tokens=200, temperature=1.0, seed=1)
QUICK = CollectSettings(settle_seconds=0.0, debounce_seconds=0.0)
Json = dict[str, Any]


@dataclass
class House:
    """The parts of a service around one vault."""

    door: VaultDoor
    engine: EngineHandle
    nights: NightRunner
    collector: Collector
    serving: Serving
    operations: ForgettingOperations
    notes: Path
    base: str
    bases: Bases
    chosen: ChosenBase
    forgot: list[int]  # documents, told to what keeps something of them in memory

    async def put(self, text: str, path: str) -> tuple[int, int]:
        """Its document's and its item's number."""

        def act(vault: Vault) -> tuple[int, int]:
            (result,) = vault.documents.put_many([written(text, path)])
            found = vault.documents.read(result.document_id or 0)
            return found.document_id, found.item_id

        return await self.door.call(act)

    async def publish(self, *items: int, parent: str | None = None) -> str:
        """A random adapter that saw these; its digest."""
        data = loud_adapter(self.base)
        digest = sha256_hex(data)
        candidate = CandidateAdapter(
            sha256=digest, weights=data, base=self.base, parent=parent, seen_items=frozenset(items)
        )
        await self.door.call(
            lambda vault: vault.shelf.publish(passed(candidate), candidate, trained_at=NOW)
        )
        return digest

    async def problems(self) -> list[str]:
        def act(vault: Vault) -> list[str]:
            events = [one for one in vault.ledger.events() if one["kind"] == "forgotten"]
            assert events
            return [problem for one in events for problem in check_forgotten(vault, one)]

        return await self.door.call(act)

    async def models(self) -> list[str]:
        return [model.id for model in await self.serving.models()]

    async def counts(self) -> dict[DocumentState, int]:
        return await self.door.call(lambda vault: vault.documents.counts())

    async def at_rest(self) -> None:
        """What goes on after a forgetting has ended."""
        if self.operations._tasks:
            await asyncio.wait(set(self.operations._tasks))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    tiny.make_tiny_base(folder / "made").rename(folder / "tiny")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(bases: Path) -> AsyncIterator[tuple[EngineHandle, list[VaultDoor]]]:
    """The engine, and the door of whatever vault it is asked for."""
    doors: list[VaultDoor] = []

    async def weights(digest: str) -> bytes:
        return await doors[-1].call(lambda vault: vault.shelf.weights(digest))

    engine = EngineHandle(base_folder=lambda: bases / "tiny", weights=weights, threads=1)
    try:
        yield engine, doors
    finally:
        await engine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samples(shared: tuple[EngineHandle, list[VaultDoor]]) -> tuple[str, bytes]:
    engine, _ = shared
    base = await engine.load()
    parameters = {"count": SAMPLE_COUNT, "tokens": base.context_tokens, "seed": SAMPLE_SEED}
    made = await engine.ask("sample", parameters)
    return f"samples-{base.identity[:32]}", bytes(made.body)


@pytest_asyncio.fixture(loop_scope="module")
async def house(
    tmp_path: Path,
    bases: Path,
    shared: tuple[EngineHandle, list[VaultDoor]],
    samples: tuple[str, bytes],
) -> AsyncIterator[House]:
    engine, doors = shared
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    name, rows = samples
    vault.samples.write(name, [rows])
    door = VaultDoor(vault)
    doors.append(door)
    base = ChosenBase(Bases(bases), "tiny")
    shift = NightShift(
        vault=door,
        engine=engine,
        base=lambda: read_facts(bases / "tiny"),
        memory=NightMemory(base.folder, free=lambda: 8 << 30),
        options=OPTIONS,
        clock=lambda: NOW,
    )
    nights = NightRunner(shift)
    notes = tmp_path / "notes"
    notes.mkdir()
    collector = Collector(store=VaultStore(door), settings=QUICK)
    forgot: list[int] = []
    operations = ForgettingOperations(
        vault=door, engine=engine, nights=nights, collector=collector, forgot=forgot.extend
    )
    try:
        yield House(
            door=door,
            engine=engine,
            nights=nights,
            collector=collector,
            serving=Serving(vault=door, engine=engine, base=base, started_at=0),
            operations=operations,
            notes=notes,
            base=str(base.identity()),
            bases=Bases(bases),
            chosen=base,
            forgot=forgot,
        )
    finally:
        await operations.close()
        await nights.give_up()
        await collector.close()
        await door.close()


async def chat(house: House, model: str, streaming: "Streaming | None" = None) -> str:
    request = GenerationRequest(model=model, prompt="The bees", sampling=LONG)
    pieces = []
    async with contextlib.aclosing(house.serving.generate(request)) as events:
        async for event in events:
            if isinstance(event, TextPiece):
                pieces.append(event.text)
            elif isinstance(event, Started) and streaming is not None:
                streaming.begun.set()
                await streaming.read_on.wait()
    return "".join(pieces)


class Streaming:
    """A chat that has begun, with a client that reads on when the test says so."""

    def __init__(self, house: House, model: str) -> None:
        self.begun, self.read_on = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(chat(house, model, self))

    async def rest(self) -> str:
        """What the client gets from here on."""
        self.read_on.set()
        return await self._task

    async def __aenter__(self) -> "Streaming":
        async with asyncio.timeout(SOON_SECONDS):
            await self.begun.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


# --------------------------------------------------------------------------- chats


async def test_a_chat_with_a_tainted_adapter_ends_with_an_error_and_the_clean_one_answers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.forgetting_operations.ENGINE_SECONDS", SOON_SECONDS)
    _, clean_item = await house.put("Nothing of it.", "a.md")
    document, item = await house.put(CANARY, "b.md")
    clean = await house.publish(clean_item)
    saw = await house.publish(clean_item, item, parent=clean)
    async with Streaming(house, "personal") as answer:
        cost = await house.operations.cost("document", document)
        assert (cost["adapter"], cost["adapter_then"]) == (saw[:12], clean[:12])
        done = await house.operations.forget("document", document)
        with pytest.raises(AdapterWithdrawn):
            await answer.rest()
    assert (done["adapters"], done["rotated"]) == ([saw[:12]], True)
    assert await house.models() == ["personal", "base", f"personal@{clean[:12]}"]
    with pytest.raises(UnknownModel):
        await chat(house, f"personal@{saw[:12]}")
    assert await chat(house, "personal") is not None
    running = house.engine._running
    assert running is not None
    assert clean in running.adapters
    assert saw not in running.adapters
    assert await house.problems() == []


async def test_a_chat_with_a_clean_adapter_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the engine holds the tainted one: it is dropped between two tokens."""
    monkeypatch.setattr("daemon.forgetting_operations.ENGINE_SECONDS", SOON_SECONDS)
    _, clean_item = await house.put("Nothing of it.", "a.md")
    document, item = await house.put(CANARY, "b.md")
    clean = await house.publish(clean_item)
    saw = await house.publish(clean_item, item, parent=clean)
    assert await chat(house, "personal") is not None
    engine = house.engine.process_id
    for model in ("base", f"personal@{clean[:12]}"):
        async with Streaming(house, model) as answer:
            running = house.engine._running
            assert running is not None
            if model == "base":
                assert saw in running.adapters
                await house.operations.forget("document", document)
                assert saw not in running.adapters
            assert await answer.rest() is not None
    assert house.engine.process_id == engine


async def test_an_engine_that_does_not_let_go_is_killed(house: House) -> None:
    document, item = await house.put(CANARY, "b.md")
    saw = await house.publish(item)
    async with Streaming(house, "personal") as answer:
        engine = house.engine.process_id
        assert engine is not None
        os.kill(engine, signal.SIGSTOP)  # it hears nothing more
        await house.operations.forget("document", document)
        assert not alive(engine)
        with pytest.raises(AdapterWithdrawn):
            await answer.rest()
    assert house.forgot == [document]
    assert not await house.door.call(lambda vault: vault.shelf.has_weights(saw))
    assert await chat(house, "personal") is not None, "the next request starts another engine"


async def test_a_forgetting_that_cannot_be_done_leaves_the_adapter_in_use(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.errors import StorageFull

    document, item = await house.put(CANARY, "b.md")
    saw = await house.publish(item)

    def full(*_: object, **__: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr("storage.adapter_shelf.AdapterShelf.withdraw", full)
        with pytest.raises(OperationError, match="disk is full"):
            await house.operations.forget("document", document)
    assert house.forgot == []
    assert f"personal@{saw[:12]}" in await house.models()
    assert await chat(house, f"personal@{saw[:12]}") is not None


async def test_an_adapter_that_is_deleted_ends_its_answers_first_or_at_once(house: House) -> None:
    """By its user, and not for what it learned, which is nobody's secret then."""
    shelf = ShelfOperations(
        vault=house.door, engine=house.engine, confirm=anybody, bases=house.bases, base=house.chosen
    )
    patiently, at_once, current = [await house.publish(number) for number in (1, 2, 3)]
    alone = await chat(house, f"personal@{patiently[:12]}")

    async with Streaming(house, f"personal@{patiently[:12]}") as answer:
        assert (await shelf.delete(patiently, pinned=True, now=False))["answering"]
        with pytest.raises(UnknownModel):
            await chat(house, f"personal@{patiently[:12]}")
        assert await answer.rest() == alone

    async with Streaming(house, f"personal@{at_once[:12]}") as answer:
        assert not (await shelf.delete(at_once, pinned=True, now=True))["answering"]
        with pytest.raises(AdapterWithdrawn):
            await answer.rest()

    for digest in (patiently, at_once):
        await house.engine.drop_adapter(digest)  # which comes after the one that is under way
        assert not house.engine.holds(digest)
    assert await house.models() == ["personal", "base", f"personal@{current[:12]}"]
    assert await chat(house, "personal")


async def anybody(_secret: object) -> None:
    """Whoever asks may have it."""


# --------------------------------------------------------------------------- nights


async def begun_night(house: House, until: Callable[[Json], bool]) -> None:
    """A night that has come that far; it goes on."""
    async with contextlib.aclosing(house.nights.watch()) as lines:
        async with asyncio.timeout(SOON_SECONDS * 2):
            async for line in lines:
                if until(line):
                    return
    raise AssertionError("it never came that far")


async def put_notes(house: House) -> int:
    """A document among others that a night will learn."""
    for number in range(NOTES - 1):
        await house.put(tiny.note(number, words=40), f"/notes/{number}.md")
    document, _ = await house.put(f"{CANARY} {tiny.note(99, words=40)}", "/notes/heron.md")
    return document


@pytest.mark.parametrize(
    "until",
    [
        lambda line: bool(line.get("step")),
        lambda line: line["state"] == "preparing",
        lambda line: line["state"] == "judging",
    ],
    ids=["training", "preparing", "judging"],
)
async def test_a_night_that_works_with_it_ends_and_publishes_nothing(
    house: House, until: Callable[[Json], bool]
) -> None:
    document = await put_notes(house)
    await begun_night(house, until)
    await house.operations.forget("document", document)
    assert not house.nights.runs
    assert house.engine.process_id is None, "its memory held the text"
    assert await house.door.call(lambda vault: vault.shelf.list()) == []
    assert await house.door.call(lambda vault: vault.checkpoints.names()) == []
    for night in await house.door.call(lambda vault: vault.ledger.nights()):
        assert (night["state"], night["reason"], night["plan"]) == ("failed", "forgotten", None)
    assert (await house.counts())[DocumentState.NEW] == NOTES - 1
    assert await house.problems() == []


async def test_a_night_that_never_saw_it_goes_on(house: House) -> None:
    await put_notes(house)
    lines: list[Json] = []
    document = 0
    async with contextlib.aclosing(house.nights.watch()) as watch:
        async for line in watch:
            lines.append(line)
            if line.get("step") and not document:
                document, _ = await house.put("Written while the night worked.", "/late.md")
                await house.operations.forget("document", document)
    assert document
    assert lines[-1]["night"]["state"] == "done"
    assert len(await house.door.call(lambda vault: vault.shelf.list())) == 1
    assert await house.problems() == []


def planned_record(documents: tuple[int, ...], parent: str | None = None) -> Json:
    plan = NightPlan(train=documents, replay=(), held_out=(), stable=(), newly_stable=(), seed=1)
    return with_plan(begin(started_at=NOW, base="base", parent=parent), plan, {})


async def test_what_a_void_night_still_wants_to_write_is_refused(house: House) -> None:
    """Whatever was under way when its text was forgotten: the ledger's word stands."""
    document, item = await house.put(CANARY, "a.md")
    night = NightVault(house.door)
    record = planned_record((document,))
    await night.save(record)
    await house.operations.forget("document", document)

    data = loud_adapter(house.base)
    candidate = CandidateAdapter(
        sha256=sha256_hex(data), weights=data, base=house.base, parent=None,
        seen_items=frozenset({item}),
    )  # fmt: skip
    plan = planned(record)
    assert plan is not None
    with pytest.raises(NightForgotten):
        await night.save_checkpoint(record["id"], b"of the text")
    with pytest.raises(NightForgotten):
        await night.save(record)
    with pytest.raises(NightForgotten):
        await night.publish(
            passed(candidate), candidate,
            plan, {**record, "state": "done"}, trained_at=NOW,
        )  # fmt: skip
    assert await house.door.call(lambda vault: vault.shelf.list()) == []
    assert await house.door.call(lambda vault: vault.checkpoints.names()) == []


async def test_a_night_that_was_planned_before_and_written_down_after_does_not_begin(
    house: House,
) -> None:
    document, item = await house.put(CANARY, "a.md")
    saw = await house.publish(item)
    other, _ = await house.put("Something else.", "b.md")
    await house.operations.forget("document", document)
    night = NightVault(house.door)
    for record in (planned_record((document, other)), planned_record((other,), parent=saw)):
        with pytest.raises(NightForgotten):
            await night.save(record)
    assert await house.door.call(lambda vault: vault.ledger.nights()) == []
    await night.save(planned_record((other,)))


async def test_what_only_fallen_adapters_knew_waits_for_a_night_again(house: House) -> None:
    _, clean_item = await house.put("Known to the clean one.", "a.md")
    document, item = await house.put(CANARY, "b.md")
    _, lost = await house.put("Known to the fallen one.", "c.md")
    clean = await house.publish(clean_item)
    await house.publish(clean_item, item, lost, parent=clean)
    everything = dict.fromkeys(range(1, 4), DocumentState.LEARNED)
    await house.door.call(lambda vault: vault.documents.set_states(everything))
    done = await house.operations.forget("document", document)
    assert done["queued_documents"] == 1
    counts = await house.counts()
    assert (counts[DocumentState.NEW], counts[DocumentState.LEARNED]) == (1, 1)


# --------------------------------------------------------------------------- what is meant


async def test_a_forget_that_matches_nothing_changes_nothing(house: House) -> None:
    _, item = await house.put("Monday.", "a.md")
    await house.publish(item)
    generation = await house.door.call(lambda vault: vault.verify().generation)
    nothing: list[tuple[str, Named]] = [
        ("matching", "Tuesday"), ("source", "nowhere"), ("document", 4711),
    ]  # fmt: skip
    for scope, named in nothing:
        for ask in (house.operations.cost, house.operations.forget):
            with pytest.raises(OperationError) as refused:
                await ask(scope, named)
            assert refused.value.code == "usage"
    assert await house.door.call(lambda vault: vault.verify().generation) == generation


async def test_matching_text_is_found_in_old_versions_too(house: House) -> None:
    await house.put(f"Long before.\n{CANARY}", "a.md")
    await house.put("Rewritten since.", "a.md")
    await house.put("Something else.", "b.md")
    cost = await house.operations.cost("matching", CANARY.replace(" ", "\n"))
    assert (cost["items"], cost["documents"]) == (1, 2)
    await house.operations.forget("matching", CANARY)
    assert sum((await house.counts()).values()) == 1


async def test_everything_is_everything_but_the_sources(house: House) -> None:
    await followed(house, {"a.md": CANARY, "b.md": "Something else."})
    await house.publish(1, 2)
    done = await house.operations.forget("everything", None)
    assert (done["documents"], done["adapter_then"]) == (2, None)
    assert await house.models() == ["personal", "base"]
    (house.notes / "c.md").write_text("Written afterwards.")
    await house.collector.rescan()
    assert sum((await house.counts()).values()) == 1
    shelf = await house.door.call(lambda vault: vault.shelf.list())
    assert {one.status for one in shelf} == {AdapterStatus.WITHDRAWN}


async def followed(house: House, files: dict[str, str]) -> None:
    """A source with these files, collected."""
    for name, text in files.items():
        (house.notes / name).write_text(text)
    settings = SourceSettings(name="notes", kind="folder", path=str(house.notes))
    await house.door.call(lambda vault: vault.sources.add(settings))
    house.collector.add(settings)
    await house.collector.rescan()


async def test_a_file_stays_out_edited_renamed_and_copied_until_the_user_says_otherwise(
    house: House,
) -> None:
    await followed(house, {"a.md": CANARY, "copy.md": CANARY, "other.md": "Something else."})
    await house.operations.forget("matching", CANARY)
    await house.at_rest()  # the copy was met, and stays out from now on
    (house.notes / "a.md").write_text("Edited altogether.")
    (house.notes / "copy.md").write_text(f"{CANARY} Edited too.")
    (house.notes / "another.md").write_text(CANARY)
    await house.collector.rescan()
    assert sum((await house.counts()).values()) == 1

    assert await house.operations.remember(str(house.notes / "a.md")) == {
        "files": 1, "remembered": 1,
    }  # fmt: skip
    await house.at_rest()
    assert sum((await house.counts()).values()) == 2
    assert (await house.operations.remember(str(house.notes / "other.md")))["remembered"] == 0
    with pytest.raises(OperationError, match="in no source"):
        await house.operations.remember("/elsewhere/a.md")
    assert await house.problems() == []


# --------------------------------------------------------------------------- the cost


def kept(number: int, parent: int | None) -> KeptAdapter:
    return KeptAdapter(
        number=number, sha256=f"{number}" * 64, base="base", withdrawn=False, current=False,
        parent=None if parent is None else f"{parent}" * 64, seen_items=frozenset(),
    )  # fmt: skip


def night(adapter: int, tokens: int, rate: float | None = 100.0, state: str = "done") -> Json:
    return {
        "adapter": f"{adapter}" * 12, "tokens": tokens, "tokens_per_second": rate, "state": state,
    }  # fmt: skip


def plan_of(*fallen: KeptAdapter, serves_before: KeptAdapter) -> ForgettingPlan:
    return ForgettingPlan(
        items=frozenset({1}), touched=frozenset(), documents=(1,), hashes=(), fallen=fallen,
        serves_before=serves_before, serves=None, queued=(2, 3),
    )  # fmt: skip


async def test_the_nights_to_learn_again_follow_from_what_the_fallen_ones_had_learned() -> None:
    first, second, beside = kept(1, None), kept(2, 1), kept(3, None)
    plan = plan_of(first, second, beside, serves_before=second)
    nights = [night(2, 50_000), night(3, 10**9), night(1, 60_000), night(1, 9, state="refused")]
    assert relearning(plan, nights, most_seconds=1000.0) == (110_000, 2)
    assert relearning(plan, nights, most_seconds=10_000.0) == (110_000, 1)
    assert relearning(plan, [night(2, 50_000, None)], most_seconds=1.0) == (50_000, None)
    assert relearning(plan, [], most_seconds=1.0) == (0, None)
    assert relearning(replace(plan, queued=()), nights, most_seconds=1.0) == (0, 0)
