"""One adapter shown, exported and deleted, on a real vault that asks for a real secret."""

import base64
import hashlib
import itertools
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.auditing.history import history
from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.engine_handle import EngineHandle
from daemon.exporting import exported
from daemon.forgetting_cost import cost
from daemon.night_record import begin
from daemon.serving import Serving
from daemon.shelf_operations import ShelfOperations
from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from storage.forgetting import Scope
from storage.records import AdapterStatus, CandidateAdapter, sha256_hex
from storage.vault import Vault
from tests.daemon.test_engine_process import loud_adapter
from tests.daemon.test_keys_operations import RIGHT, WRONG, House
from tests.storage.making import passed, put
from tests.storage.nights import NIGHTS
from trainer.base_format import read_facts
from trainer.builtin_base import BUILTIN_BASE

Json = dict[str, Any]

BASE = read_facts(BUILTIN_BASE).identity
FOLDER = "/media/heron/adapters of spring"


async def no_weights(_digest: str) -> bytes:
    raise AssertionError("no engine runs here")


class Shelf(House):
    """A vault with adapters, and what is asked of them."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        bases = Bases(root / "bases")
        base = ChosenBase(bases, "builtin")
        engine = EngineHandle(base_folder=base.folder, weights=no_weights)
        self.operations = ShelfOperations(
            vault=self.door, engine=engine, confirm=self.lock.confirm, bases=bases, base=base
        )
        self.serving = Serving(vault=self.door, engine=engine, base=base, started_at=0)

    async def publish(
        self, weights: bytes | None = None, *, base: str = BASE, parent: str | None = None
    ) -> str:
        data = loud_adapter(base) if weights is None else weights
        candidate = CandidateAdapter(
            sha256=sha256_hex(data),
            weights=data,
            base=base,
            parent=parent,
            seen_items=frozenset({1, 2, 3}),
        )

        def act(vault: Vault) -> None:
            vault.shelf.publish(passed(candidate), candidate, trained_at=1_795_000_000.0)

        await self.door.call(act)
        return candidate.sha256

    async def export(self, adapter: str, secret: GivenSecret = RIGHT) -> list[Json]:
        return [line async for line in self.operations.export(adapter, secret, FOLDER)]

    async def events(self, kind: str) -> list[Json]:
        events = await self.door.call(lambda vault: vault.ledger.events())
        return [event for event in events if event["kind"] == kind]


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    shelf = Shelf(tmp_path)
    await shelf.lock.start(shelf.opened)
    yield shelf
    await shelf.lock.close()
    await shelf.door.close()


def refused(code: str, match: str) -> "pytest.RaisesExc[OperationError]":
    return pytest.RaisesExc(OperationError, match=match, check=lambda error: error.code == code)


# --------------------------------------------------------------------------- showing


async def test_an_adapter_is_shown_with_its_night_by_any_of_its_names(shelf: Shelf) -> None:
    parent = await shelf.publish()
    digest = await shelf.publish(parent=parent)
    entry = begin(started_at=1.0, base=BASE, parent=parent)
    entry |= {"adapter": digest[:12], "tokens": 175_052, "verdict": "passed"}
    number = await shelf.door.call(lambda vault: vault.ledger.begin_night(entry))
    for name in (digest, digest[:6], digest[:6].upper(), f"personal@{digest[:12]}", "personal"):
        shown = await shelf.operations.show(name)
        assert shown["sha256"] == digest
    assert (shown["base_name"], shown["parent"], shown["status"]) == ("builtin", parent, "current")
    assert (shown["documents"], shown["exports"]) == (3, [])
    assert (shown["night"]["id"], shown["night"]["tokens"]) == (number, 175_052)
    assert shown["measured"]["held_out_loss_after"] == 2.5
    assert shown["bytes"] > 1000
    assert (await shelf.operations.show(parent))["night"] is None


async def test_a_name_that_no_adapter_has_or_two_have_is_a_usage_error(shelf: Shelf) -> None:
    for name in ("personal", "0000", "", "personal@"):
        with refused("usage", "no such adapter"):
            await shelf.operations.show(name)
    seen: dict[str, bytes] = {}
    for number in itertools.count():  # a few hundred, until two begin alike
        data = number.to_bytes(4) * 8
        begins = hashlib.sha256(data).hexdigest()[:4]
        if begins in seen:
            break
        seen[begins] = data
    await shelf.publish(seen[begins])
    await shelf.publish(data)
    with refused("usage", "give more digits"):
        await shelf.operations.show(begins)


async def test_an_adapter_of_a_base_that_is_not_here_is_shown(shelf: Shelf) -> None:
    digest = await shelf.publish(base="cd" * 32)
    shown = await shelf.operations.show(digest)
    assert (shown["base_name"], shown["of_base_in_use"]) == (None, False)


# --------------------------------------------------------------------------- exporting


async def test_an_export_gives_the_published_bytes_and_what_peft_has_to_know(
    shelf: Shelf,
) -> None:
    digest = await shelf.publish()
    begin, *pieces, end, done = await shelf.export(digest[:8])
    data = b"".join(base64.b64decode(piece["piece"]) for piece in pieces)
    assert sha256_hex(data) == digest
    assert (end, done) == ({"end": {"bytes": len(data)}}, {"done": {"sha256": digest}})
    facts = begin["begin"]
    assert facts["lora"] == {"rank": 2, "alpha": 16.0, "rslora": True, "dropout": 0.0}
    assert facts["target_modules"] == [
        "down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"
    ]  # fmt: skip
    assert (facts["base"], facts["bytes"]) == (BASE, len(data))
    assert facts["base_model"]["folder"] == str(BUILTIN_BASE)


async def test_an_export_is_recorded_before_its_first_byte_and_told_ever_after(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await shelf.door.call(lambda vault: put(vault, "Herons.").document_id)
    digest = await shelf.publish()
    lines = shelf.operations.export(digest, RIGHT, FOLDER)
    await anext(lines)
    await lines.aclose()  # whoever takes a part of it may have taken all

    [event] = await shelf.events("adapter_exported")
    assert event["facts"] == {"digest": digest, "folder": FOLDER}
    [out] = (await shelf.operations.show(digest))["exports"]
    assert out == {"at": event["at"], "folder": FOLDER}
    [told] = history([event])["exported"]
    assert (told["adapters"], told["documents"], told["folder"]) == ([digest[:12]], 0, FOLDER)
    assert history([event])["others"] == []

    def forget(vault: Vault) -> Any:
        return vault.forgetting.forget({1}, scope=Scope.DOCUMENT, nights=NIGHTS)

    done = await shelf.door.call(forget)
    assert [(one.sha256, one.folder) for one in done.exports] == [(digest, FOLDER)]
    told = cost(done.plan, [], most_seconds=60.0, exports=done.exports)["exported"]
    assert told == [{"adapter": digest[:12], "at": event["at"], "folder": FOLDER}]
    [forgotten] = await shelf.events("forgotten")
    assert forgotten["facts"]["exported"] == [digest]
    assert FOLDER not in caplog.text
    assert FOLDER not in repr(done)
    for file in shelf.folder.rglob("*"):
        assert not file.is_file() or FOLDER.encode() not in file.read_bytes()


async def test_an_export_of_everything_names_its_adapters_too(shelf: Shelf) -> None:
    first = await shelf.publish()
    gone = await shelf.publish(parent=first)
    last = await shelf.publish(parent=gone)
    await shelf.operations.delete(gone, pinned=True, now=False)
    assert [line async for line in exported(shelf.door, folder=FOLDER)]
    [event] = await shelf.events("exported")
    assert event["facts"]["digests"] == [last, first]
    assert len((await shelf.operations.show(first))["exports"]) == 1
    assert (await shelf.operations.show(gone))["exports"] == []


async def test_without_the_secret_nothing_is_exported_and_nothing_recorded(shelf: Shelf) -> None:
    digest = await shelf.publish()
    with refused("locked", "does not open"):
        await shelf.export(digest, WRONG)
    assert await shelf.events("adapter_exported") == []


async def test_what_cannot_be_exported_is_refused_and_not_recorded(shelf: Shelf) -> None:
    withdrawn, broken = await shelf.publish(), await shelf.publish(b"no adapter at all")
    await shelf.operations.delete(withdrawn, pinned=True, now=False)
    with refused("refused", "was withdrawn"):
        await shelf.export(withdrawn)
    with refused("usage", "no such adapter"):
        await shelf.export("0000")
    with refused("failed", "is damaged"):
        await shelf.export(broken)
    assert await shelf.events("adapter_exported") == []


# --------------------------------------------------------------------------- deleting


async def test_what_answers_and_what_is_kept_to_go_back_to_is_not_deleted(shelf: Shelf) -> None:
    old = await shelf.publish()
    digest = await shelf.publish(parent=old)
    with refused("refused", "put another in use first"):
        await shelf.operations.delete(digest[:8], pinned=True, now=True)
    with refused("refused", "give --pinned"):
        await shelf.operations.delete(old[:8], pinned=False, now=True)
    assert await shelf.events("adapter_deleted") == []
    assert len(await shelf.serving.models()) == 4


async def test_what_is_deleted_is_gone_from_disk_and_lists_and_recorded_once(
    shelf: Shelf,
) -> None:
    old = await shelf.publish()
    await shelf.publish(parent=old)
    for expected in (True, False):
        answer = await shelf.operations.delete(old[:8], pinned=True, now=False)
        assert (answer["sha256"], answer["freed_bytes"] > 0) == (old, expected)
        assert not answer["answering"]
    [event] = await shelf.events("adapter_deleted")
    assert event["facts"]["digest"] == old
    assert [model.sha256 for model in await shelf.serving.models()].count(old) == 0
    kept = {one.sha256: one for one in await shelf.door.call(lambda vault: vault.shelf.list())}
    assert kept[old].status is AdapterStatus.WITHDRAWN
    assert not await shelf.door.call(lambda vault: vault.shelf.has_weights(old))
    assert (await shelf.operations.show(old))["bytes"] == 0
