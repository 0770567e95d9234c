"""A `KeysBackend` that answers what a test tells it to."""

from collections.abc import AsyncGenerator
from typing import Any

from ipc.errors import OperationError
from ipc.given_secret import GivenSecret

Json = dict[str, Any]

SLOTS: list[Json] = [
    {
        "kind": "keyring",
        "unattended": True,
        "stops": "a stolen disk",
        "does_not_stop": "programs that run as you",
        "warning": None,
    },
    {
        "kind": "recovery",
        "unattended": False,
        "stops": "everybody without the paper",
        "does_not_stop": "who finds the paper",
        "warning": None,
    },
]
RECOVERY_KEY = "NIGHT-00000-11111-22222"
ROTATED: Json = {
    "root": 2,
    "epoch": 3,
    "data_keys": 1234,
    "seconds": 0.25,
    "damaged": 0,
    "dropped_slots": 0,
}


class FakeKeys:
    """Answers as given, notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.secrets: list[GivenSecret | None] = []
        self.refusals: list[OperationError] = []
        self.was_locked = True
        self.was_open = True
        self.slot_list = SLOTS
        self.rotation: list[Json] = [
            {"done": 600, "of": 1234},
            {"done": 1234, "of": 1234},
            {"rotated": ROTATED},
        ]

    def _note(self, verb: str, **given: Any) -> None:
        self.asked.append((verb, given))
        if self.refusals:
            raise self.refusals.pop(0)

    async def unlock(self, secret: GivenSecret | None) -> Json:
        self.secrets.append(secret)
        self._note("unlock")
        return {"was_locked": self.was_locked}

    async def lock(self) -> Json:
        self._note("lock")
        return {"was_open": self.was_open}

    async def slots(self) -> list[Json]:
        self._note("slots")
        return self.slot_list

    async def add_slot(self, kind: str, *, secret: GivenSecret, new_passphrase: str | None) -> Json:
        self.secrets.append(secret)
        self._note("add_slot", kind=kind, new_passphrase=new_passphrase)
        return {"kind": kind, "recovery_key": RECOVERY_KEY if kind == "recovery" else None}

    async def remove_slot(self, kind: str) -> Json:
        self._note("remove_slot", kind=kind)
        left = [slot["kind"] for slot in self.slot_list if slot["kind"] != kind]
        return {"kind": kind, "left": left, "advice": "Old copies still open by it; rotate."}

    async def rotate(self) -> AsyncGenerator[Json, None]:
        self._note("rotate")
        for line in self.rotation:
            yield line
