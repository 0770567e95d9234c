"""What the command line asks about what is to be forgotten, and what that costs, done.

Implements `ipc.forgetting_api.ForgettingBackend`. The order is the promise: first no tainted
adapter answers any more, then everything is forgotten in one transaction.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from daemon.collecting.collector import Collector
from daemon.collecting.one_file import FileAt, NotInASource, files_at
from daemon.engine_handle import EngineHandle
from daemon.forgetting_cost import cost
from daemon.forgetting_nights import NightRecords, is_unfinished
from daemon.night_runner import NightRunner
from daemon.operation_errors import said
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from storage.exports import adapter_exports
from storage.forgetting import CANNOT_PROMISE, Forgotten, Scope, forget_and_rotate
from storage.forgetting_plan import ForgettingPlan
from storage.vault import Vault

log = logging.getLogger("nightloom.forgetting")

Json = dict[str, Any]
Named = str | int | tuple[str, ...] | None
Kept = Collection[tuple[str, str]]  # source and path of documents

ANSWERS = "answers"  # a scope of the socket's alone
SEARCHED_AT_ONCE = 200  # documents; then others have the vault
ENGINE_SECONDS = 1.0  # that the engine has to let go by itself; then it is killed

PROMISES = {
    "old_copies": "Old images of the disk, together with a slot that opened the vault then.",
    "exports": "Backups, exported documents and exported adapters that were made before.",
    "reworded": "A file that was renamed and edited before it was looked at again.",
    "same_in_other_words": "What other texts say of the same; look for it with --matching.",
}
assert set(PROMISES) == set(CANNOT_PROMISE)


class ForgettingOperations:
    """A part of `Operations`."""

    def __init__(
        self,
        *,
        vault: VaultDoor,
        engine: EngineHandle,
        nights: NightRunner,
        collector: Collector,
        forgot: Callable[[Collection[int]], None] = lambda ids: None,
        conversations: Callable[[Sequence[str]], Awaitable[Kept]] | None = None,
    ) -> None:
        self._vault = vault
        self._forgot = forgot  # told at once which documents are gone, for what is in memory
        self._conversations = conversations  # those that hold one of these answers
        self._engine = engine
        self._nights = nights
        self._collector = collector
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def cost(self, scope: str, named: Named) -> Json:
        """What forgetting would take; changes nothing.

        Of answers it may be nothing, which is no mistake: not all that is said is kept.
        """
        with said():
            kind = _kind(scope)
            items = await self._items(scope, named)
            plan, night_is_clean = await self._vault.call(_look(items, kind))
            nights = await self._vault.call(lambda vault: vault.ledger.nights())
            events = await self._vault.call(lambda vault: vault.ledger.events())
        if scope != ANSWERS:
            _refuse_nothing(plan)
        exports = adapter_exports(events, plan.fallen_digests)
        most = self._nights.most_seconds
        return {
            "scope": scope,
            "night": self._nights.runs and not night_is_clean,
            **cost(plan, nights, most_seconds=most, exports=exports),
        }

    async def forget(self, scope: str, named: Named) -> Json:
        """Forget; when this returns it is done, and what is queued is queued."""
        kind = _kind(scope)
        with said():
            async with self._turn:
                items = await self._items(scope, named)
                done = await self._forget(kind, items)
                nights = await self._vault.call(lambda vault: vault.ledger.nights())
        self._in_background(self._look_for_copies())
        return {
            "scope": scope,
            **cost(done.plan, nights, most_seconds=self._nights.most_seconds, exports=done.exports),
            "tombstones": done.tombstones,
            "checkpoints": done.checkpoints,
            "rotated": done.rotated,
            "event": done.event,
            "cannot_promise": list(PROMISES.values()),
        }

    async def remember(self, path: str) -> Json:
        """The user's word: what lies here may be collected again."""
        with said():
            self._vault.check()
            try:
                found = await asyncio.to_thread(files_at, self._collector.sources, Path(path))
            except NotInASource:
                raise OperationError(
                    "usage", "This lies in no source; `nightloom privacy sources list` shows them."
                ) from None

            def act(vault: Vault) -> int:
                with vault.transaction():
                    return sum(lift_tombstones(vault, one) > 0 for one in found)

            lifted = await self._vault.call(act)
        if lifted:
            self._in_background(self._collect_again(found))
        return {"files": len(found), "remembered": lifted}

    # ------------------------------------------------------------------- what is meant

    async def _items(self, scope: str, named: Named) -> Collection[int]:
        if scope == ANSWERS:
            return await self._of_answers(named if isinstance(named, tuple) else ())
        if scope == Scope.EVERYTHING:
            return await self._vault.call(lambda vault: vault.forgetting.all_items())
        if scope == Scope.SOURCE:
            source = str(named)
            return await self._vault.call(lambda v: v.forgetting.items_of_source(source))
        if scope == Scope.DOCUMENT:
            number = int(str(named or 0))
            return await self._vault.call(lambda vault: vault.forgetting.item_of(number))
        return await self._matching(str(named))

    async def _of_answers(self, ids: Sequence[str]) -> frozenset[int]:
        self._vault.check()
        places = await self._conversations(ids) if self._conversations is not None else ()

        def act(vault: Vault) -> frozenset[int]:
            versions = [one for place in places for one in vault.documents.at(*place)]
            return frozenset().union(*(vault.forgetting.item_of(one) for one in versions))

        return await self._vault.call(act)

    async def _matching(self, text: str) -> frozenset[int]:
        """Reads all documents, some at a time, so that chats and collectors get their turn."""
        found: set[int] = set()
        search = await self._vault.call(lambda vault: vault.forgetting.search(text))
        while some := await self._vault.call(lambda _: list(islice(search, SEARCHED_AT_ONCE))):
            found.update(item for item in some if item is not None)
        return frozenset(found)

    # ------------------------------------------------------------------- doing it

    async def _forget(self, scope: Scope, items: Collection[int]) -> Forgotten:
        plan, night_is_clean = await self._vault.call(_look(items, scope))
        _refuse_nothing(plan)
        taken = plan.fallen_digests
        self._engine.take_away(taken)
        try:
            if not night_is_clean:
                await self._end_night()
            await self._engine.purge(taken, seconds=ENGINE_SECONDS)
            done = await self._vault.call(
                lambda vault: forget_and_rotate(vault, items, scope=scope, nights=NightRecords())
            )
        except BaseException:
            self._engine.give_back(taken)
            raise
        self._forgot(done.plan.documents)
        late = set(done.plan.fallen_digests) - set(taken)  # published in the meantime
        self._engine.take_away(late)
        await self._engine.purge(late, seconds=ENGINE_SECONDS)
        if done.nights and self._nights.runs:  # begun in the meantime
            await self._end_night()
        log.info("forgot %d documents", len(done.plan.documents))
        return done

    async def _end_night(self) -> None:
        """At once, and with it the engine: its memory holds text and a half-made adapter."""
        if not self._nights.runs:
            return
        ending = asyncio.create_task(self._nights.give_up(), name="ending a night")
        await asyncio.wait({ending}, timeout=ENGINE_SECONDS)
        await self._engine.kill()
        await ending

    async def _look_for_copies(self) -> None:
        """Files with a forgotten text are met now, before anybody edits them."""
        await self._collector.rescan()

    async def _collect_again(self, files: list[FileAt]) -> None:
        """A scan that was under way may have noted them as seen, before they were allowed."""
        await self._collector.rescan()

        def act(vault: Vault) -> None:
            for one in files:
                vault.known_files.forget_one(one.source, one.path)

        await self._vault.call(act)
        await self._collector.rescan()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logged(work), name="after forgetting")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what goes on in the background."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))


def _kind(scope: str) -> Scope:
    """As it is written down: answers are forgotten as the documents that hold them."""
    return Scope.DOCUMENT if scope == ANSWERS else Scope(scope)


def lift_tombstones(vault: Vault, one: FileAt) -> int:
    """The tombstones of a file, of its texts and of the documents in it."""
    lifted = vault.forgetting.remember(one.source, one.path, one.texts)
    return lifted + sum(vault.forgetting.remember(one.source, item) for item in one.items)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:
        log.error("the scan after forgetting failed: %s", type(error).__name__)


def _look(items: Collection[int], scope: Scope) -> Callable[[Vault], tuple[ForgettingPlan, bool]]:
    """The plan, and whether the night that is under way, if any, has nothing to do with it."""

    def act(vault: Vault) -> tuple[ForgettingPlan, bool]:
        plan = vault.forgetting.plan(items, scope=scope)
        newest = vault.ledger.nights(1)
        if not newest or not is_unfinished(newest[0]):
            return plan, False  # one that is not written down yet is not known to be clean
        present = {head.document_id for head in vault.documents.heads()} - set(plan.documents)
        void = NightRecords().voided(newest[0], present, plan.fallen_digests)
        return plan, void is None

    return act


def _refuse_nothing(plan: ForgettingPlan) -> None:
    if plan.empty and not plan.fallen:
        raise OperationError("usage", "Nothing in the vault matches that; nothing was changed.")
