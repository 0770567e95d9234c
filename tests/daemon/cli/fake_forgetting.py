"""A `ForgettingBackend` that answers what a test tells it to."""

from typing import Any

from ipc.errors import OperationError
from ipc.forgetting_api import Named

Json = dict[str, Any]

COST: Json = {
    "scope": "document",
    "items": 1,
    "documents": 2,
    "adapters": ["fedcba987654", "0123456789ab"],
    "adapter": "fedcba987654",
    "adapter_then": "aaaabbbbcccc",
    "queued_documents": 30,
    "tokens_to_learn_again": 80_000,
    "nights_to_learn_again": 2,
}
DONE: Json = COST | {
    "tombstones": 4,
    "checkpoints": 1,
    "rotated": True,
    "event": 9,
    "cannot_promise": ["Backups that were made before."],
}


class FakeForgetting:
    """Answers as given, notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Named]] = []
        self.cost_answer = COST
        self.done_answer = DONE
        self.refusal: OperationError | None = None

    def _note(self, verb: str, scope: str, named: Named) -> None:
        self.asked.append((verb, scope, named))
        if self.refusal is not None:
            raise self.refusal

    async def cost(self, scope: str, named: Named) -> Json:
        self._note("cost", scope, named)
        return self.cost_answer

    async def forget(self, scope: str, named: Named) -> Json:
        self._note("forget", scope, named)
        return self.done_answer

    async def remember(self, path: str) -> Json:
        self._note("remember", "path", path)
        return {"files": 3, "remembered": 2}
