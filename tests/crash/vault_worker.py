"""Works in a vault until it is killed: `python -m tests.crash.vault_worker`.

Reads a line for each round (folder, seed, what the vault holds), and works in a forked child, so
that a round costs no start of Python. The child says what it begins, and what it has done once the
call has returned. On the line `kill` the child is killed, and `{"gone": status}` is the last word.
"""

import dataclasses
import itertools
import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from storage.document_rows import PutOutcome
from storage.documents import Documents
from storage.forgetting import Scope, forget_and_rotate
from storage.keys import Passphrase
from storage.records import DocumentState, RedactedDocument, StoredDocument, sha256_hex
from storage.vault import Vault
from tests.crash.vault_world import (
    SOURCE,
    UNKNOWN,
    Op,
    World,
    after,
    choose,
    text_of,
    weights_of,
)
from tests.storage.making import PASSPHRASE, candidate, passed
from tests.storage.nights import NIGHTS

RECOVERY = "recovery"


def say(**line: Any) -> None:
    """In one write, so that a line is there or is cut off by the kill."""
    os.write(1, json.dumps(line).encode() + b"\n")


def work(folder: Path, seed: int, world: World) -> None:
    rng = random.Random(seed)
    with Vault.open(folder, Passphrase(text=PASSPHRASE)) as vault:
        say(opened=True)
        for _ in itertools.count():
            op = choose(world, rng)
            say(begin=op)
            result = act(vault, op, world)
            world = after(op, world)[-1]
            if world.current == UNKNOWN:
                world = dataclasses.replace(world, current=name_of_current(vault, world))
            say(done=op, result=result, current=world.current)


def name_of_current(vault: Vault, world: World) -> str | None:
    current = vault.shelf.current()
    names = {sha256_hex(weights_of(name)): name for name in world.adapters}
    return None if current is None else names[current.sha256]


def act(vault: Vault, op: Op, world: World) -> str | None:
    """Do it; what only the vault could know of it."""
    match op["does"]:
        case "put":
            documents = [document(path, number) for path, number in op["texts"].items()]
            outcomes = {one.outcome for one in vault.documents.put_many(documents)}
            assert outcomes <= {PutOutcome.STORED, PutOutcome.NEW_VERSION}, outcomes
        case "put_forgotten":
            (result,) = vault.documents.put_many([document(op["path"], op["number"])])
            assert result.outcome is PutOutcome.FORGOTTEN, result
        case "states":
            ids = live(vault.documents)
            states = {ids[path].document_id: state for path, state in op["states"].items()}
            vault.documents.set_states({n: DocumentState(state) for n, state in states.items()})
        case "publish":
            publish(vault, op, world)
        case "use":
            vault.shelf.use(sha256_hex(weights_of(op["name"])))
        case "rollback":
            vault.shelf.rollback()
        case "forget":
            items = items_of(vault, op["paths"])
            vault.forgetting.forget(items, scope=Scope.DOCUMENT, nights=NIGHTS)
        case "forget_and_rotate":
            items = items_of(vault, op["paths"])
            assert forget_and_rotate(vault, items, scope=Scope.DOCUMENT, nights=NIGHTS).rotated
        case "retention":
            assert vault.letting_go.of_paths(SOURCE, op["paths"]) >= len(op["paths"])
        case "checkpoint":
            pieces = [weights_of(str(op["number"]))] * 2
            vault.checkpoints.write(op["name"], pieces)
        case "drop_checkpoint":
            assert vault.checkpoints.delete(op["name"])
        case "rotate":
            vault.rotate()
        case "event":
            vault.ledger.append_event("torture", {"note": text_of(world.events + 1)})
        case "slot":
            if not world.recovery:
                return vault.add_recovery_slot()
            vault.remove_slot(RECOVERY, ())
    return None


def document(path: str, number: int) -> RedactedDocument:
    return RedactedDocument(
        source=SOURCE, path=path, modified_at=1e9 + number, text=text_of(number), rules_version=1
    )


def live(documents: Documents) -> dict[str, StoredDocument]:
    """By path; also says that all of them open."""
    states = set(DocumentState) - {DocumentState.SUPERSEDED}
    found = list(documents.read_many(states))
    assert all(isinstance(one, StoredDocument) for one in found), found
    return {one.path: one for one in found if isinstance(one, StoredDocument)}


def items_of(vault: Vault, paths: list[str]) -> frozenset[int]:
    there = live(vault.documents)
    return frozenset(there[path].item_id for path in paths)


def publish(vault: Vault, op: Op, world: World) -> None:
    there = live(vault.documents)
    parent = vault.shelf.current()
    saw = {there[path].item_id for path in op["seen"] if path in there}
    one = candidate(weights_of(op["name"]), None if parent is None else parent.sha256)
    seen = frozenset(saw | (parent.seen_items if parent else frozenset()))
    one = dataclasses.replace(one, seen_items=seen)
    vault.shelf.publish(passed(one), one, trained_at=1e9)


def main() -> None:
    while line := sys.stdin.readline():
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                work(Path(asked["folder"]), asked["seed"], World.from_json(asked["world"]))
            except Exception:
                traceback.print_exc()
                say(failed=True)
            os._exit(1)
        sys.stdin.readline()  # "kill", or the end
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.write(1, b"\n" + json.dumps({"gone": status}).encode() + b"\n")


if __name__ == "__main__":
    main()
