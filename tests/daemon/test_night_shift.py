"""Nights in a vault of the test's own, with a real engine: begun, stopped, broken off, taken up.

Starting an engine takes seconds, so all nights share one; homes and processes as a whole are
tried in tests/pipeline and tests/crash.
"""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daemon.engine_handle import EngineHandle, EngineState
from daemon.night_memory import NightMemory
from daemon.night_planning import NightPlan, PlanPolicy
from daemon.night_record import Record
from daemon.night_shift import NightShift
from daemon.night_stages import SAMPLE_COUNT, SAMPLE_SEED
from daemon.night_vault import NightVault, Samples
from daemon.tonight import NightOptions
from daemon.vault_door import VaultDoor
from storage.adapter_shelf import AdapterShelf
from storage.documents import Documents
from storage.errors import StorageFailing, StorageFull
from storage.ledger import Ledger
from storage.records import DocumentState
from storage.sealed_files import SealedFiles
from storage.vault import Vault
from tests.crash.yield_torture import Ground, ListeningHandle, torture
from tests.pipeline import tiny
from tests.storage.making import FAST, PASSPHRASE, written
from trainer.base_format import BaseFacts, read_facts
from trainer.gate import GatePolicy

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

NOTES = 16
OLDER_ROLES = ("train", "replay", "held_out", "stable", "newly_stable", "seed")
NOW = 1_800_000_000.0  # draws who judges, so every night here is the same one
OPTIONS = NightOptions(
    recipe={
        "preset": "personal", "lora": {"rank": 4}, "passes": 1, "row_tokens": 64,
        "finetune": {"learning_rate": 1e-2, "rows_per_step": 2, "rows_per_micro_batch": 2},
        "general_budget": 0.4,
    },
    plan=PlanPolicy(minimum_tokens=100),
    gate=GatePolicy(general_loss_tolerance=0.5),
    max_seconds=100.0,
    checkpoint_seconds=100.0,
)  # fmt: skip


@dataclass
class House:
    """A vault with notes that wait, its night shift, and what who watches is told."""

    door: VaultDoor
    shift: NightShift
    lines: list[Record] = field(default_factory=list)

    async def night(self) -> Record:
        return await self.shift.run(self.lines.append)

    async def kept(self) -> Record:
        """The last night, as the ledger has it."""
        nights: list[Record] = await self.door.call(lambda vault: vault.ledger.nights(1))
        return nights[0]

    async def adapters(self) -> list[str]:
        """Short digests of all that were published."""
        return await self.door.call(lambda vault: [one.sha256[:12] for one in vault.shelf.list()])

    async def waiting(self) -> int:
        """How many documents are new."""
        counts = await self.door.call(lambda vault: vault.documents.counts())
        return counts[DocumentState.NEW]


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(base_folder: Path) -> AsyncIterator[ListeningHandle]:
    """Gets every adapter from the night that makes it."""

    async def weights(digest: str) -> bytes:
        raise AssertionError("no night here has a parent")

    handle = ListeningHandle(base_folder=lambda: base_folder, weights=weights, threads=1)
    handle.forget()
    try:
        yield handle
    finally:
        await handle.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samples(engine: EngineHandle) -> tuple[str, bytes]:
    """Name and bytes of the base's own samples, drawn once for all vaults."""
    base = await engine.load()
    parameters = {"count": SAMPLE_COUNT, "tokens": base.context_tokens, "seed": SAMPLE_SEED}
    made = await engine.ask("sample", parameters)
    return f"samples-{base.identity[:32]}", bytes(made.body)


@contextlib.asynccontextmanager
async def opened(
    folder: Path,
    engine: EngineHandle,
    base: Path,
    *,
    facts: BaseFacts | None = None,
    free_bytes: int = 8 << 30,
    notes: int = NOTES,
) -> AsyncIterator[House]:
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.documents.put_many(
        [written(tiny.note(number, words=40), f"/notes/{number}.md") for number in range(notes)]
    )
    door = VaultDoor(vault)
    try:
        yield House(
            door=door,
            shift=NightShift(
                vault=door,
                engine=engine,
                base=lambda: facts or read_facts(base),
                memory=NightMemory(lambda: base, free=lambda: free_bytes),
                options=OPTIONS,
                clock=lambda: NOW,
            ),
        )
    finally:
        await door.close()


@pytest_asyncio.fixture(loop_scope="module")
async def house(
    tmp_path: Path, engine: EngineHandle, base_folder: Path, samples: tuple[str, bytes]
) -> AsyncIterator[House]:
    """Everything that a night needs."""
    name, rows = samples
    async with opened(tmp_path / "vault", engine, base_folder) as house:
        await house.door.call(lambda vault: vault.samples.write(name, [rows]))
        yield house


# --------------------------------------------------------------------------- before it trains


async def test_a_night_without_enough_text_waits_and_starts_no_engine(
    tmp_path: Path, base_folder: Path
) -> None:
    started: list[Path] = []

    def folder() -> Path:
        started.append(base_folder)
        return base_folder

    async def weights(digest: str) -> bytes:
        raise AssertionError

    engine = EngineHandle(base_folder=folder, weights=weights)
    async with opened(tmp_path / "vault", engine, base_folder, notes=3) as house:
        record = await house.night()

        assert (record["state"], record["reason"]) == ("waiting", "too_little_text")
        assert "5 more new documents" in record["sentence"]
        assert (started, engine.state) == ([], EngineState.STOPPED)
        assert await house.door.call(lambda vault: vault.ledger.nights()) == []


async def test_a_night_without_memory_waits_and_says_what_it_would_take(
    tmp_path: Path, engine: EngineHandle, base_folder: Path
) -> None:
    async with opened(tmp_path / "vault", engine, base_folder, free_bytes=1 << 20) as house:
        record = await house.night()

        assert (record["state"], record["reason"]) == ("waiting", "too_little_memory")
        assert "and 0.00 GB may be used: a smaller base would fit." in record["sentence"]
        assert await house.waiting() == NOTES
        assert await house.door.call(lambda vault: vault.ledger.nights(1)) == []


async def test_a_base_that_was_exchanged_under_the_engine_is_named(
    tmp_path: Path, engine: EngineHandle, base_folder: Path
) -> None:
    other = replace(read_facts(base_folder), identity="f" * 64)
    async with opened(tmp_path / "vault", engine, base_folder, facts=other) as house:
        record = await house.night()

        assert record["state"] == (await house.kept())["state"] == "failed"
        assert "Another base was put into the folder" in record["sentence"]
        assert await house.waiting() == NOTES


# --------------------------------------------------------------------------- stopped


async def test_a_night_that_shall_stop_before_it_is_planned_was_nothing_yet(house: House) -> None:
    stops: list[asyncio.Task[None]] = []

    def stop_at(line: Record) -> None:
        if not stops:
            stops.append(asyncio.create_task(house.shift.stop()))

    assert (await house.shift.run(stop_at))["state"] == "waiting"
    assert await house.door.call(lambda vault: vault.ledger.nights()) == []
    assert await house.waiting() == NOTES


@pytest.mark.parametrize("stage", ["training", "judging"])
async def test_a_night_that_shall_stop_between_two_stages_is_taken_up_again(
    house: House, stage: str
) -> None:
    stops: list[asyncio.Task[None]] = []

    def stop_at(line: Record) -> None:
        """Before the stage asks anything of the engine: this is told before it begins."""
        if line["state"] == stage and not stops:
            stops.append(asyncio.create_task(house.shift.stop()))

    stopped = await house.shift.run(stop_at)

    assert stopped["state"] == (await house.kept())["state"] == "yielding"
    assert (stopped["steps"] > 0) == (stage == "judging")
    assert await house.adapters() == []

    resumed = await house.night()
    assert (resumed["state"], resumed["id"]) == ("done", stopped["id"])
    told = [line["step"] for line in house.lines if line.get("step")]
    assert told == ([] if stage == "judging" else list(range(1, resumed["steps"] + 1)))
    assert resumed["steps"] > 0


async def test_a_checkpoint_of_other_rows_is_left_and_the_plan_kept(house: House) -> None:
    """As after an update that makes other rows of the same text."""
    stops: list[asyncio.Task[None]] = []

    def stop_at(line: Record) -> None:
        if line["state"] == "judging" and not stops:
            stops.append(asyncio.create_task(house.shift.stop()))

    stopped = await house.shift.run(stop_at)
    assert stopped["steps"] > 0
    kept = await house.kept()
    older = {name: kept["plan"]["roles"][name] for name in OLDER_ROLES}
    record = kept | {"plan": {"roles": older, "recipe": kept["plan"]["recipe"]}}
    await house.door.call(lambda vault: vault.ledger.update_night(kept["id"], record))

    resumed = await house.night()
    assert (resumed["state"], resumed["id"]) == ("done", stopped["id"])
    told = [line["step"] for line in house.lines if line.get("step")]
    assert told == list(range(1, resumed["steps"] + 1))


async def test_interruptions_at_random_moments_lose_nothing_that_was_finished(
    tmp_path: Path, engine: ListeningHandle, base_folder: Path, samples: tuple[str, bytes]
) -> None:
    """The adapter is that of an undisturbed night; `tests.crash.yield_torture` does many more."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # shown when it fails
    ground = Ground(
        base=base_folder,
        texts=[tiny.note(number, words=40) for number in range(NOTES)],
        recipe=OPTIONS.recipe,
        longest_seconds=0.2,
        samples=samples,
    )
    found = await torture(
        ground, engine, tmp_path, seed=seed, interruptions=3, kinds=["go on", "go on", "stop"]
    )
    assert found.interruptions == 3


# --------------------------------------------------------------------------- kinds of text


async def texts_of(house: House, plan: NightPlan) -> dict[int, tuple[str, Record]]:
    """What the engine would be given: role and body by document."""
    empty = Samples(rows=b"", count=0, tokens=1)
    given = NightVault(house.door).training_attachments(1, None, plan, empty)
    return {
        one.facts["key"]: (one.facts["role"], json.loads(bytes(one.body)))
        async for one in given
        if one.name == "text"
    }


async def test_what_others_wrote_is_read_and_what_has_grown_is_learned_from_there_on(
    house: House,
) -> None:
    books = [
        replace(written(tiny.note(900 + n, words=20), f"/books/{n}.txt"), own=False)
        for n in range(2)
    ]
    await house.door.call(lambda vault: vault.documents.put_many(books))

    assert (await house.night())["state"] == "done"
    adapter = await house.door.call(lambda vault: vault.shelf.current())
    assert adapter is not None
    heads = await house.door.call(lambda vault: vault.documents.heads())
    read = [head for head in heads if head.document_id > NOTES]
    assert [head.state for head in read] == [DocumentState.LEARNED] * 2
    assert {head.item_id for head in heads} == adapter.seen_items
    learned = {head.document_id for head in heads if head.state is DocumentState.LEARNED}
    assert adapter.learned == learned

    diary, judge = min(learned), next(h for h in heads if h.state is DocumentState.HELD_OUT)
    old = await house.door.call(lambda vault: vault.documents.read(diary))
    seen = await house.door.call(lambda vault: vault.documents.read(judge.document_id))
    more = [
        written(f"{old.text}\n\n{tiny.note(77, words=30)}", old.path),
        written(f"{seen.text}\n\n{tiny.note(78, words=30)}", seen.path),
        *(written(tiny.note(500 + n, words=30), f"/more/{n}.md") for n in range(8)),
    ]
    await house.door.call(lambda vault: vault.documents.put_many(more))
    foreseen = await house.shift.foresee()
    plan = foreseen.plan
    assert isinstance(plan, NightPlan)
    grown = {one.item_id: one for one in foreseen.waiting if one.version == 2}
    start = len(old.text) + 2
    assert grown[old.item_id].fresh == (start, start + len(tiny.note(77, words=30)))
    assert grown[seen.item_id].fresh is None, "it was never learned"
    given = await texts_of(house, plan)
    role, body = given[grown[old.item_id].document_id]
    assert (role, body["fresh"]) == ("new", list(grown[old.item_id].fresh or ()))
    assert "fresh" not in given[grown[seen.item_id].document_id][1]
    assert {given[head.document_id][0] for head in read} == {"reading"}, "not replayed as a voice"


# --------------------------------------------------------------------------- publishing


def breaks(
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    error: Exception,
    when: Callable[..., bool] = lambda *_: True,
) -> None:
    """From now on this method of the vault fails, when it is called with what `when` looks for."""
    real = getattr(owner, method)

    def broken(self: Any, *given: Any, **more: Any) -> Any:
        if when(*given):
            raise error
        return real(self, *given, **more)

    monkeypatch.setattr(owner, method, broken)


def is_done(night_id: int, record: Record) -> bool:
    return bool(record["state"] == "done")


@pytest.mark.parametrize(
    ("owner", "method", "error", "when"),
    [
        (AdapterShelf, "publish", StorageFailing(), lambda *_: True),
        (Documents, "set_states", StorageFailing(), lambda *_: True),
        (Ledger, "update_night", sqlite3.OperationalError("disk I/O error"), is_done),
    ],
)
async def test_a_night_that_cannot_be_published_has_failed_and_left_nothing_behind(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    error: Exception,
    when: Callable[..., bool],
) -> None:
    with monkeypatch.context() as broken:
        breaks(broken, owner, method, error, when)
        record = await house.night()

    kept = await house.kept()
    assert record["state"] == kept["state"] == "failed"
    assert kept["verdict"] is None
    assert await house.adapters() == []
    assert await house.waiting() == NOTES

    mended = await house.night()
    assert (mended["state"], mended["id"]) == ("done", kept["id"] + 1)
    assert await house.adapters() == [mended["adapter"]]
    assert await house.waiting() == 0


async def test_a_night_whose_end_cannot_be_recorded_is_taken_up_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        breaks(
            broken,
            Ledger,
            "update_night",
            StorageFailing(),
            lambda _, record: record["state"] in ("done", "failed"),
        )
        assert (await house.night())["state"] == "failed"

    kept = await house.kept()
    assert kept["state"] == "judging"
    assert await house.adapters() == []

    resumed = await house.night()
    assert (resumed["state"], resumed["id"]) == ("done", kept["id"])
    assert await house.adapters() == [resumed["adapter"]]


@pytest.mark.parametrize(
    ("owner", "method"),
    [(AdapterShelf, "publish"), (Documents, "set_states"), (SealedFiles, "write")],
)
async def test_a_night_whose_result_has_no_room_goes_on_when_there_is(
    house: House, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    with monkeypatch.context() as full:
        breaks(full, owner, method, StorageFull())
        record = await house.night()

    kept = await house.kept()
    assert (record["state"], record["reason"]) == ("waiting", "disk_full")
    assert "Free some space" in record["sentence"]
    assert kept["state"] == "judging"
    assert await house.adapters() == []
    assert await house.waiting() == NOTES

    resumed = await house.night()
    assert (resumed["state"], resumed["id"]) == ("done", kept["id"])
    assert await house.adapters() == [resumed["adapter"]]
    assert await house.waiting() == 0


async def test_a_night_that_is_recorded_nowhere_yet_waits_for_room(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        breaks(full, Ledger, "begin_night", StorageFull())
        record = await house.night()

    assert (record["state"], record["reason"]) == ("waiting", "disk_full")
    assert (await house.night())["state"] == "done"


async def test_a_checkpoint_that_has_no_room_is_left_out_and_the_night_ends_well(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step makes a checkpoint, and none of them has room."""
    often = replace(house.shift._options, checkpoint_seconds=0.0)
    monkeypatch.setattr(house.shift, "_options", often)
    tried: list[str] = []

    def is_checkpoint(_name: str, *_: object) -> bool:
        if not _name.startswith("night-"):
            return False
        tried.append(_name)
        return True

    with monkeypatch.context() as full:
        breaks(full, SealedFiles, "write", StorageFull(), is_checkpoint)
        record = await house.night()

    assert tried
    assert record["state"] == "done"
    assert await house.adapters() == [record["adapter"]]


async def test_a_checkpoint_that_could_not_be_dropped_is_dropped_by_the_next_night(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = replace(house.shift._options, checkpoint_seconds=0.0)
    monkeypatch.setattr(house.shift, "_options", often)
    with monkeypatch.context() as full:
        breaks(full, SealedFiles, "delete", StorageFull())
        assert (await house.night())["state"] == "done"
    names = await house.door.call(lambda vault: vault.checkpoints.names())
    assert len(names) == 1

    assert (await house.night())["state"] == "waiting"  # there is no new text
    assert await house.door.call(lambda vault: vault.checkpoints.names()) == []
