"""Requests from `api.sock` to the engine: which version answers is fixed when a request comes in.

Implements `ipc.inference.InferenceBackend`. `personal` is whatever the shelf calls current at
that moment, and the bare base as long as there is none of this base; a swap later does not touch
the request.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from daemon.chosen_base import ChosenBase
from daemon.engine_handle import EngineHandle, adapter_name
from daemon.errors import (
    AdapterOfAnotherBase,
    AdapterTakenAway,
    EngineDied,
    EngineError,
    EngineFailed,
    VaultIsLocked,
)
from daemon.fair_queue import FairQueue
from daemon.generation_events import as_one, body_of, event_of, parameters_of
from daemon.vault_door import VaultDoor
from ipc.errors import (
    AdapterWithdrawn,
    BadRequest,
    EngineUnavailable,
    PromptTooLong,
    RequestError,
    UnknownModel,
    VaultLocked,
)
from ipc.inference import GenerationEvent, GenerationRequest, ModelInfo
from ipc.several import together
from storage import errors as storage
from storage.errors import StorageError
from storage.records import AdapterStatus, PublishedAdapter

SHORTEST_DIGEST = 6  # characters that may name an adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The version that answers one request."""

    label: str  # "base" or "personal@<sha12>"
    adapter: str | None  # digest


def choose_version(model: str, shelf: list[PublishedAdapter], base: str) -> Pinned:
    """Which adapter `model` means now.

    Args:
        base: identity of the base in use; adapters of others cannot answer.

    Raises:
        UnknownModel: no such adapter, or one that was withdrawn or belongs to another base.
    """
    if model == "base":
        return Pinned(label="base", adapter=None)
    kept = [a for a in shelf if a.status is not AdapterStatus.WITHDRAWN]
    if model == "personal":
        current = [a for a in kept if a.status is AdapterStatus.CURRENT and a.base == base]
        return _pinned(current[0]) if current else Pinned(label="base", adapter=None)
    digest = model.removeprefix("personal@")
    if digest == model or len(digest) < SHORTEST_DIGEST:
        raise UnknownModel
    meant = [a for a in kept if a.sha256.startswith(digest)]
    if len(meant) != 1:
        raise UnknownModel
    if meant[0].base != base:
        raise UnknownModel(str(AdapterOfAnotherBase(meant[0].sha256[:12])))
    return _pinned(meant[0])


def _pinned(adapter: PublishedAdapter) -> Pinned:
    return Pinned(label=f"personal@{adapter.sha256[:12]}", adapter=adapter.sha256)


class Serving:
    """Answers clients with the engine's tokens.

    Args:
        vault: for the adapters on the shelf.
        engine: generates.
        base: the one that the engine uses.
        started_at: seconds since the epoch; what `/v1/models` gives as the base's `created`.
        queue: whose turn it is.
    """

    def __init__(
        self,
        *,
        vault: VaultDoor,
        engine: EngineHandle,
        base: ChosenBase,
        started_at: int,
        queue: FairQueue | None = None,
    ) -> None:
        self._vault = vault
        self._engine = engine
        self._base = base
        self._started_at = started_at
        self._queue = queue or FairQueue()

    async def models(self) -> list[ModelInfo]:
        """`personal`, `base`, and every adapter of this base; does not start the engine."""
        identity = await asyncio.to_thread(self._base.identity)
        try:
            shelf = await self._vault.call(lambda vault: vault.shelf.list())
        except VaultIsLocked:
            raise VaultLocked from None
        shelf = [adapter for adapter in shelf if adapter.base == identity]
        current = next((a for a in shelf if a.status is AdapterStatus.CURRENT), None)
        rows = [_info("personal", current, self._started_at), _info("base", None, self._started_at)]
        rows += [
            _info(f"personal@{adapter.sha256[:12]}", adapter, self._started_at)
            for adapter in shelf
            if adapter.status is not AdapterStatus.WITHDRAWN
        ]
        return rows

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See `InferenceBackend.generate`."""
        try:
            base = await asyncio.to_thread(self._base.facts)
            shelf = await self._vault.call(lambda vault: vault.shelf.list())
            pinned = choose_version(request.model, shelf, base.identity)
            line = asyncio.Lock()
            choices = [self._choice(request, pinned, one, line) for one in range(request.choices)]
            async with contextlib.aclosing(as_one(together(choices))) as events:
                async for event in events:
                    yield event
        except EngineFailed as error:
            raise _for_client(error) from None
        except VaultIsLocked:
            raise VaultLocked from None
        except EngineDied:
            if not self._vault.is_open:  # which is why the engine went
                raise VaultLocked from None
            raise EngineUnavailable from None
        except (AdapterTakenAway, storage.AdapterWithdrawn):
            raise AdapterWithdrawn from None
        except (EngineError, StorageError) as error:
            raise EngineUnavailable(str(error)) from None

    async def _choice(
        self, request: GenerationRequest, pinned: Pinned, choice: int, line: asyncio.Lock
    ) -> AsyncGenerator[GenerationEvent, None]:
        """One answer of those that were asked for, when it is its turn.

        Args:
            line: one of them waits in line at a time, so that they do not fill it by themselves.
        """
        name = adapter_name(pinned.adapter) if pinned.adapter else None
        parameters = parameters_of(request, name, choice)
        adapters = [pinned.adapter] if pinned.adapter else []
        async with contextlib.AsyncExitStack() as turn:
            async with line:
                await turn.enter_async_context(self._queue.place(request.client))
            messages = self._engine.request(
                "generate", parameters, body_of(request), adapters=adapters
            )
            async with contextlib.aclosing(messages):
                async for message in messages:
                    if (event := event_of(message, model=pinned.label, choice=choice)) is not None:
                        yield event


def _for_client(error: EngineFailed) -> RequestError:
    """The engine's refusal in the client's words."""
    if error.code == AdapterTakenAway.CODE:
        return AdapterWithdrawn()
    if error.code == "PromptTooLong":
        return PromptTooLong.counted(
            prompt_tokens=int(error.facts["prompt_tokens"]),
            context_tokens=int(error.facts["context_tokens"]),
        )
    if error.code in ("PromptEmpty", "BadMessages", "BadSampling"):
        return BadRequest(str(error))
    return EngineUnavailable(str(error))


def _info(name: str, adapter: PublishedAdapter | None, started_at: int) -> ModelInfo:
    if adapter is None:
        return ModelInfo(id=name, created=started_at)
    return ModelInfo(
        id=name,
        created=int(adapter.trained_at),
        sha256=adapter.sha256,
        parent=adapter.parent,
        trained_at=int(adapter.trained_at),
        status=adapter.status.value,
    )
