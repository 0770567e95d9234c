"""What a night changed, to be read: passages of its held-out text, continued before and after it.

Made when somebody asks, from the vault and both adapters; nothing of it is kept.
"""

import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Any

from daemon import night_record
from daemon.chosen_base import ChosenBase
from daemon.engine_handle import EngineHandle, adapter_name
from daemon.engine_process import body_json
from daemon.errors import AdapterOfAnotherBase, NightChangedNothing
from daemon.night_planning import NightPlan
from daemon.operation_errors import said
from daemon.vault_door import VaultDoor
from storage.errors import RowDamaged, UnknownDocument
from storage.records import PublishedAdapter, StoredDocument
from storage.vault import Vault

Json = dict[str, Any]

PASSAGES = 3
BEGINNING_CHARACTERS = 240  # given to both
CONTINUED_TOKENS = 48
SHOWN_CHARACTERS = 240  # of what the user wrote there


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The beginning of a text that no night had learned yet, and how the user went on."""

    document: int
    beginning: str = field(repr=False)
    written: str = field(repr=False)


def passage_of(document: StoredDocument) -> Passage | None:
    """Cut where a word ends; None if the text is too short to be continued."""
    text = document.text.strip()
    if len(text) < BEGINNING_CHARACTERS + SHOWN_CHARACTERS // 2:
        return None
    cut = text.rfind(" ", 0, BEGINNING_CHARACTERS)
    if cut <= 0:
        return None
    return Passage(
        document=document.document_id,
        beginning=text[:cut],
        written=text[cut : cut + SHOWN_CHARACTERS],
    )


class NightPassages:
    """Asks the engine, which starts for it if need be."""

    def __init__(self, vault: VaultDoor, engine: EngineHandle, base: ChosenBase) -> None:
        self._vault = vault
        self._engine = engine
        self._base = base

    async def of(self, night_id: int | None) -> AsyncGenerator[Json, None]:
        """`document`, `beginning`, `written`, `before`, `after`, for each of a few passages.

        Args:
            night_id: of a night that published an adapter; the last one that did if None.

        Raises:
            OperationError: there is no such night, it published nothing, or what it published
                cannot answer any more.
        """
        with said():
            plan, before, after = await self._vault.call(lambda vault: _night_of(vault, night_id))
            self._check_base(after)
            passages = await self._vault.call(lambda vault: _passages(vault, plan))
            if not passages:
                raise NightChangedNothing("none of its held-out texts is long enough to show")
            for passage in passages:
                yield {
                    "document": passage.document,
                    "beginning": passage.beginning,
                    "written": passage.written,
                    "before": await self._continued(passage, before),
                    "after": await self._continued(passage, after.sha256),
                }

    def _check_base(self, adapter: PublishedAdapter) -> None:
        if adapter.base != self._base.identity():
            raise AdapterOfAnotherBase(adapter.sha256[:12])

    async def _continued(self, passage: Passage, adapter: str | None) -> str:
        """The likeliest words, so that the two differ by their adapter alone."""
        parameters = {
            "adapter": adapter_name(adapter) if adapter else None,
            "max_tokens": CONTINUED_TOKENS, "temperature": 0.0, "top_p": 1.0, "seed": 0,
        }  # fmt: skip
        body = body_json({"prompt": passage.beginning, "stop": []})
        pieces: list[str] = []
        messages = self._engine.request(
            "generate", parameters, body, adapters=[adapter] if adapter else []
        )
        async with contextlib.aclosing(messages):
            async for message in messages:
                if message.header["event"] == "text":
                    pieces.append(bytes(message.body).decode())
        return "".join(pieces)


def _night_of(vault: Vault, night_id: int | None) -> tuple[NightPlan, str | None, PublishedAdapter]:
    """The plan, the adapter before (None: the base) and the one that the night made."""
    nights = vault.ledger.nights() if night_id is None else [vault.ledger.night(night_id)]
    for record in nights:
        plan = night_record.planned(record)
        if plan is not None and record["verdict"] == "passed" and record["adapter"]:
            made = [a for a in vault.shelf.list() if a.sha256.startswith(record["adapter"])]
            if made:
                return plan, record["parent"], made[0]
    raise NightChangedNothing("it published no adapter that is still there")


def _passages(vault: Vault, plan: NightPlan) -> list[Passage]:
    found = (passage_of(document) for document in _opened(vault, (*plan.held_out, *plan.stable)))
    return [passage for passage, _ in zip(filter(None, found), range(PASSAGES), strict=False)]


def _opened(vault: Vault, ids: Iterable[int]) -> Iterable[StoredDocument]:
    """Those that are still there and open."""
    for number in ids:
        with contextlib.suppress(UnknownDocument, RowDamaged):
            yield vault.documents.read(number)
