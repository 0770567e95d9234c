"""Kills a process that works in a vault, at random moments, and looks what is left.

`make torture` does it a thousand times (`SEED=` and `KILLS=` to repeat one),
`test_vault_torture.py` a few times. After each kill the vault has to open and to hold what was
acknowledged, no more and no less, where what was being done may have been done or not; all seals
and the manifest verify, no file is left over, and nothing stands in clear.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.errors import AdapterWithdrawn
from storage.keys import Passphrase, RecoveryKey
from storage.records import AdapterStatus, sha256_hex
from storage.vault import Vault
from tests.crash.vault_worker import RECOVERY, live
from tests.crash.vault_world import (
    CANARY,
    SOURCE,
    Op,
    World,
    after,
    text_of,
    weights_of,
)
from tests.storage.making import FAST, PASSPHRASE

ROOT = Path(__file__).resolve().parents[2]
KILLS_WHILE_OPENING = 0.15  # of rounds: what the next one opens was left by two crashes
OPENING_SECONDS = 0.03
WORKING_SECONDS = 0.2
ROUNDS_A_VAULT = 50  # then a new one, so that a round stays short
_BETWEEN = "between two"


@dataclass
class Toll:
    """What happened, for who wants to know."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)  # by what was being done
    kept: Counter[str] = field(default_factory=Counter)  # of these, what was done all the same
    acknowledged: Counter[str] = field(default_factory=Counter)
    swept_files: int = 0

    @property
    def total(self) -> int:
        return sum(self.kills.values())


@dataclass
class Work:
    """What one worker said before it was killed."""

    opened: bool = False
    done: list[tuple[Op, str | None, str | None]] = field(default_factory=list)
    begun: Op | None = None


@dataclass
class Ground:
    """A vault, and what it should hold."""

    folder: Path
    printed: str | None  # its recovery key
    world: World = field(default_factory=World)


def torture(
    place: Path, *, kills: int, seed: int, tell: Callable[[Toll], None] = lambda _: None
) -> Toll:
    """`place` is an empty folder. Raises `AssertionError` for anything that is not as it should."""
    rng = random.Random(seed)
    toll = Toll(seed=seed)
    with _workers(place) as workers:
        ground = _new_ground(place, 0)
        while toll.total < kills:
            rounds = toll.total + 1
            if rounds % ROUNDS_A_VAULT == 0:
                shutil.rmtree(ground.folder)
                ground = _new_ground(place, rounds)
            works: list[Work] = []
            if rng.random() < KILLS_WHILE_OPENING:
                works.append(_worked(workers, ground, rng, at_work=False))
            if not works or not works[-1].opened:  # else what it has done is looked at first
                works.append(_worked(workers, ground, rng, at_work=True))
            _nothing_in_clear(place)
            for work in works:
                _follow(ground, work, toll)
            _check(ground, works[-1], toll)
            _nothing_in_clear(place)
            tell(toll)
    return toll


# --------------------------------------------------------------------------- working and killing


@contextlib.contextmanager
def _workers(place: Path) -> Iterator["subprocess.Popen[str]"]:
    scratch = place / "tmp"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.vault_worker"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # a worker that is left is killed at the end of it


def _new_ground(place: Path, number: int) -> Ground:
    folder = place / f"vault-{number}"
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.close()
    return Ground(folder=folder, printed=printed)


def _worked(
    workers: "subprocess.Popen[str]", ground: Ground, rng: random.Random, *, at_work: bool
) -> Work:
    """One worker, killed while it works, or earlier."""
    assert workers.stdin is not None
    assert workers.stdout is not None
    asked = {
        "folder": str(ground.folder),
        "seed": rng.getrandbits(32),
        "world": dataclasses.asdict(ground.world),
    }
    workers.stdin.write(json.dumps(asked) + "\n")
    workers.stdin.flush()
    work = Work()
    if at_work:
        work.opened = "opened" in _parsed(workers.stdout.readline())
    # No condition: the moment is what is random.
    time.sleep(rng.uniform(0, WORKING_SECONDS if at_work else OPENING_SECONDS))
    workers.stdin.write("kill\n")
    workers.stdin.flush()
    for line in workers.stdout:
        said = _parsed(line)
        if "gone" in said:
            assert os.WIFSIGNALED(said["gone"]), "the worker failed; see what it wrote"
            return work
        work.opened |= "opened" in said
        if "done" in said:
            work.done.append((said["done"], said["result"], said["current"]))
            work.begun = None
        work.begun = said.get("begin", work.begun)
    raise AssertionError("the workers are gone")


def _parsed(line: str) -> dict[str, Any]:
    """Nothing for a line that the kill cut off."""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return said


# --------------------------------------------------------------------------- looking


def _follow(ground: Ground, work: Work, toll: Toll) -> None:
    """What was acknowledged is what has to be there."""
    for op, result, current in work.done:
        ground.world = dataclasses.replace(after(op, ground.world)[-1], current=current)
        if op["does"] == "slot":
            ground.printed = result
        toll.acknowledged[op["does"]] += 1
    begun = work.begun["does"] if work.begun else _BETWEEN if work.opened else "opening"
    toll.kills[begun] += 1


def _check(ground: Ground, work: Work, toll: Toll) -> None:
    with Vault.open(ground.folder, Passphrase(text=PASSPHRASE)) as vault:
        toll.swept_files += vault.opening.swept_files
        assert not vault.opening.witness_missing
        report = vault.verify()
        assert report.intact, report
        _no_file_is_left_over(vault, ground.folder)
        possible = [ground.world, *(after(work.begun, ground.world) if work.begun else [])]
        found = _found(vault, possible)
    fitting = [number for number, world in enumerate(possible) if world.admits(found)]
    assert fitting, _differences(possible, found, work.begun)
    if work.begun and fitting[0] > 0:
        toll.kept[work.begun["does"]] += 1
    number = max(world.number for world in possible)
    if found.recovery != ground.world.recovery:
        ground.printed = None  # a new one that nobody was told, or none
    ground.world = dataclasses.replace(found, number=number)
    if ground.printed is not None:
        Vault.open(ground.folder, RecoveryKey.parse(ground.printed)).close()


def _found(vault: Vault, possible: list[World]) -> World:
    """What the vault holds; what could be there says where to look."""
    there = live(vault.documents)
    texts = {path: int(one.text.split()[1]) for path, one in there.items()}
    assert all(one.text == text_of(texts[path]) for path, one in there.items())
    paths = {path for world in possible for path in (*world.forgotten, *world.texts)}
    forgotten = [p for p in paths if vault.documents.is_forgotten(SOURCE, p, f"{CANARY} {p}")]
    seen = {name: paths for world in possible for name, paths in world.adapters.items()}
    names = {sha256_hex(weights_of(name)): name for name in seen}
    adapters, withdrawn = {}, []
    for one in vault.shelf.list():
        name = names[one.sha256]
        adapters[name] = seen[name]
        if one.status is AdapterStatus.WITHDRAWN:
            withdrawn.append(name)
            with contextlib.suppress(AdapterWithdrawn):
                raise AssertionError(vault.shelf.weights(one.sha256)[:0])
            assert not vault.shelf.has_weights(one.sha256)
        else:
            assert vault.shelf.weights(one.sha256) == weights_of(name)
    current = vault.shelf.current()
    assert current is None or current.status is AdapterStatus.CURRENT
    checkpoints = {name: vault.checkpoints.read(name) for name in vault.checkpoints.names()}
    events = vault.ledger.events()
    notes = [event["facts"]["note"] for event in events if event["kind"] == "torture"]
    assert notes == [text_of(number + 1) for number in range(len(notes))]
    kinds = [slot.kind for slot in vault.slots()]
    return World(
        texts=texts,
        states={path: str(one.state) for path, one in there.items()},
        forgotten=tuple(sorted(forgotten)),
        adapters=adapters,
        withdrawn=tuple(sorted(withdrawn)),
        current=None if current is None else names[current.sha256],
        checkpoints={name: _number_of(data) for name, data in checkpoints.items()},
        events=len(notes),
        rotations=sum(event["kind"] == "rotated" for event in events),
        recovery=RECOVERY in kinds,
    )


def _number_of(weights: bytes) -> int:
    return int(weights.split(maxsplit=2)[1])


def _no_file_is_left_over(vault: Vault, folder: Path) -> None:
    rows = vault._database.fetch("SELECT purpose, disk_name FROM sealed_files")
    named = {f"files/{purpose}/{name}.sealed" for purpose, name in rows}
    own = {"vault.db", "vault.db-wal", "vault.db-shm", "slots.json", "witness", "lock"}
    files = (path for path in folder.rglob("*") if not path.is_dir())
    there = {str(path.relative_to(folder)) for path in files}
    assert there == named | own, there ^ (named | own)


def _nothing_in_clear(place: Path) -> None:
    """Neither in the vault nor beside it, neither in a file nor in a name."""
    for path in place.rglob("*"):
        name = str(path.relative_to(place))
        assert CANARY not in name
        if path.is_file():
            data = path.read_bytes()
            assert CANARY.encode() not in data, name
            assert PASSPHRASE.encode() not in data, name


def _differences(possible: list[World], found: World, begun: Op | None) -> str:
    """Which fields do not fit; all of it is made up, and may be shown."""
    lines = [f"while this was done: {begun}"]
    for world in possible:
        for one in dataclasses.fields(World):
            wanted, there = getattr(world, one.name), getattr(found, one.name)
            if wanted != there and one.name != "number":
                lines.append(f"{one.name}: {wanted} should be, {there} is")
    return "\n".join(lines)


# --------------------------------------------------------------------------- from the command line


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.crash.vault_torture")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    again = f"make torture KILLS={asked.kills} SEED={asked.seed}"
    print(again, flush=True)
    began = time.monotonic()

    def tell(toll: Toll) -> None:
        if toll.total % 50 == 0:
            seconds = time.monotonic() - began
            print(f"{toll.total} of {asked.kills} kills, {seconds:.0f} s", flush=True)

    with tempfile.TemporaryDirectory(prefix="nl-torture-") as folder:
        try:
            toll = torture(Path(folder), kills=asked.kills, seed=asked.seed, tell=tell)
        except BaseException:
            print(f"again: {again}", flush=True)
            raise
    print(f"{toll.total} kills, nothing was lost and nothing stood in clear; while:")
    for begun, number in toll.kills.most_common():
        print(f"  {begun:20} {number:5}, of which done {toll.kept[begun]}")
    print(f"acknowledged: {dict(toll.acknowledged.most_common())}")
    print(f"files that crashes had left: {toll.swept_files}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
