"""A process that works in a vault and is killed at a named moment (see `test_crash.py`).

Prints a line for everything that was acknowledged. The moment is the Nth with its name.
"""

import os
import signal
import sys
from pathlib import Path

from storage.durable import Observer
from storage.forgetting import Scope
from storage.keys import Passphrase
from storage.moving import Move
from storage.records import DocumentState
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, publish, put
from tests.storage.nights import NIGHTS


def killed_at(wanted: str, occurrence: int) -> Observer:
    seen = 0

    def observe(moment: str) -> None:
        nonlocal seen
        seen += moment == wanted
        if moment == wanted and seen == occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


def ingest(vault: Vault) -> None:
    for number in range(10):
        result = put(vault, f"text {number}", f"/{number}.md")
        print(result.document_id, flush=True)


def publish_a_night(vault: Vault) -> None:
    first = vault.shelf.current()
    assert first is not None
    with vault.transaction():
        publish(vault, b"second" * 20_000, parent=first.sha256)
        vault.documents.set_states({1: DocumentState.LEARNED})
        vault.ledger.update_night(1, {"state": "done"})
    print("published", flush=True)


def replace_a_checkpoint(vault: Vault) -> None:
    vault.checkpoints.write("night", [b"new" * 50_000])
    print("replaced", flush=True)


def forget_an_item(vault: Vault) -> None:
    vault.forgetting.forget({1}, scope=Scope.DOCUMENT, nights=NIGHTS)
    print("forgotten", flush=True)


def rotate(vault: Vault) -> None:
    vault.rotate()
    print("rotated", flush=True)


def replace_a_slot(vault: Vault) -> None:
    vault.remove_slot("passphrase", keepers=())
    print("removed", flush=True)
    vault.add_passphrase_slot(PASSPHRASE, argon2=FAST)
    print("added", flush=True)


def let_go(vault: Vault) -> None:
    vault.letting_go.of_paths("notes", ["/1.md", "/2.md"])
    print("gone", flush=True)


def move(vault: Vault) -> None:
    moves = [Move(document_id=n, source="notes", path=f"/new/{n}.md") for n in (1, 2)]
    vault.moving.move(moves)
    print("moved", flush=True)


def make_room(vault: Vault) -> None:
    vault.adapter_quota.apply(0)
    print("room", flush=True)


WORK = {
    "let go": let_go,
    "move": move,
    "make room": make_room,
    "forget": forget_an_item,
    "rotate": rotate,
    "slots": replace_a_slot,
    "ingest": ingest,
    "publish": publish_a_night,
    "checkpoint": replace_a_checkpoint,
}


def main(folder: str, work: str, moment: str, occurrence: str) -> None:
    observe = killed_at(moment, int(occurrence))
    if work == "create":
        Vault.create(Path(folder), passphrase=PASSPHRASE, argon2=FAST, observe=observe)
        return
    with Vault.open(Path(folder), Passphrase(text=PASSPHRASE), observe=observe) as vault:
        WORK[work](vault)


if __name__ == "__main__":
    main(*sys.argv[1:])
