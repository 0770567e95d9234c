"""Conversations forgotten by the answers in them: from the vault, and from adapters that saw them.

The vault, the collector and what hears are real. The engine and the nights are only told what they
are told (`test_forgetting_operations.py` has the real ones).
"""

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from daemon.engine_handle import EngineHandle
from daemon.forgetting_operations import ForgettingOperations
from daemon.night_runner import NightRunner
from ipc.errors import OperationError
from storage.records import AdapterStatus, CandidateAdapter, sha256_hex
from storage.vault import Vault
from tests.daemon.conversing import Talks, talks
from tests.storage.making import passed

QUESTION, ANSWER = "Where did Perpetua hide the quince marmalade?", "Behind the organ."
SECRET, SECRET_ANSWER = "And the key?", "In the clavichord."
OTHER = "What is a damson?"


@dataclass
class Engine:
    taken: list[str] = field(default_factory=list)

    def take_away(self, digests: Collection[str]) -> None:
        self.taken += digests

    def give_back(self, digests: Collection[str]) -> None: ...

    async def purge(self, digests: Collection[str], *, seconds: float) -> None: ...


@dataclass
class Nights:
    runs: bool = False
    most_seconds: float = 3600.0


@dataclass
class House:
    talks: Talks
    engine: Engine
    nights: Nights
    operations: ForgettingOperations

    async def cost(self, *ids: str) -> dict[str, Any]:
        return await self.operations.cost("answers", ids)

    async def learned(self) -> str:
        """An adapter saw all that is kept now; its digest."""

        def act(vault: Vault) -> str:
            items = frozenset(
                vault.documents.read(head.document_id).item_id for head in vault.documents.heads()
            )
            weights = b"weights"
            candidate = CandidateAdapter(
                sha256=sha256_hex(weights),
                weights=weights,
                base="ab" * 32,
                parent=None,
                seen_items=items,
            )
            vault.shelf.publish(passed(candidate), candidate, trained_at=1_795_000_000.0)
            return candidate.sha256

        return await self.talks.door.call(act)


@contextlib.asynccontextmanager
async def house(root: Path, *, listening: bool = True) -> AsyncIterator[House]:
    async with talks(root, listening=listening) as found:
        engine, nights = Engine(), Nights()
        operations = ForgettingOperations(
            vault=found.door,
            engine=cast("EngineHandle", engine),
            nights=cast("NightRunner", nights),
            collector=found.collector,
            conversations=found.keeper.kept,
        )
        try:
            yield House(found, engine, nights, operations)
        finally:
            await operations.close()


async def test_what_no_adapter_saw_costs_no_adapter(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        first = home.talks.say(("user", QUESTION), answer=ANSWER)
        home.talks.say(("user", OTHER), answer="A plum.")

        cost = await home.cost(first)  # and waits until it is kept

        assert (cost["scope"], cost["documents"], cost["adapters"]) == ("answers", 1, [])
        assert cost["night"] is False
        home.nights.runs = True
        assert (await home.cost(first))["night"] is True


async def test_a_conversation_that_was_learned_goes_whole_and_with_its_adapter(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        home.talks.say(("user", QUESTION), answer=ANSWER)
        said = (("user", QUESTION), ("assistant", ANSWER), ("user", SECRET))
        last = home.talks.say(*said, answer=SECRET_ANSWER)
        await home.talks.heard()
        digest = await home.learned()
        home.talks.say(("user", OTHER), answer="A plum.")

        assert (await home.cost(last))["adapters"] == [digest[:12]]
        done = await home.operations.forget("answers", (last,))

        assert (done["documents"], done["adapters"]) == (1, [digest[:12]])
        assert home.engine.taken == [digest]
        assert await home.talks.own() == [OTHER]
        shelf = await home.talks.door.call(lambda vault: vault.shelf.list())
        assert [one.status for one in shelf] == [AdapterStatus.WITHDRAWN]
        events = await home.talks.door.call(lambda vault: vault.ledger.events())
        assert "answers" not in str(events[-1])

        # it goes on, and what is said from now on begins anew
        again = (*said, ("assistant", SECRET_ANSWER), ("user", "And now?"))
        home.talks.say(*again, answer="Nothing.")
        await home.talks.heard()
        assert await home.talks.own() == [OTHER, "And now?"]


async def test_what_was_not_kept_costs_nothing_and_what_is_not_remembered_is_said(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        home.talks.keeper.kept_out("chatcmpl-private")
        assert (await home.cost("chatcmpl-private"))["documents"] == 0
        with pytest.raises(OperationError, match="Nothing in the vault") as nothing:
            await home.operations.forget("answers", ("chatcmpl-private",))
        with pytest.raises(OperationError, match="--matching") as unknown:
            await home.cost("chatcmpl-private", "chatcmpl-nobody")
        first = home.talks.say(("user", QUESTION), answer=ANSWER)
        home.talks.door.refuse()
        with pytest.raises(OperationError) as locked:
            await home.cost(first)
    assert [one.value.code for one in (nothing, unknown, locked)] == ["usage", "usage", "locked"]
    async with house(tmp_path / "nobody listens", listening=False) as home:
        first = home.talks.say(("user", QUESTION), answer=ANSWER)
        assert (await home.cost(first))["documents"] == 0


async def test_after_a_lock_no_answer_is_remembered_and_none_is_said_to_be_gone(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        first = home.talks.say(("user", QUESTION), answer=ANSWER)
        await home.talks.heard()
        settings = home.talks.collector.sources[0].settings
        await home.talks.collector.remove(settings.name)
        home.talks.collector.add(settings)

        with pytest.raises(OperationError, match="not remembered"):
            await home.cost(first)
