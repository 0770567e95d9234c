"""A few kills of a process that works in a vault; `make torture` for a thousand."""

import dataclasses
import random
from pathlib import Path

import pytest

from tests.crash.vault_torture import torture
from tests.crash.vault_world import UNKNOWN, World, after, choose

KILLS = 25


@pytest.mark.timeout(180)  # ten seconds are usual; the machine may be busy
def test_a_vault_whose_process_is_killed_holds_what_was_acknowledged(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"make torture KILLS={KILLS} SEED={seed}")  # shown when it fails
    toll = torture(tmp_path, kills=KILLS, seed=seed)
    assert toll.total >= KILLS
    assert sum(toll.acknowledged.values()) > 0


HELD = World(texts={"/a": 1, "/b": 2}, states={"/a": "new", "/b": "learned"})


@pytest.mark.parametrize(
    "found",
    [
        dataclasses.replace(HELD, texts={"/a": 1}, states={"/a": "new"}),
        dataclasses.replace(HELD, texts={"/a": 1, "/b": 3}),
        dataclasses.replace(HELD, states={"/a": "new", "/b": "new"}),
        dataclasses.replace(HELD, current="adapter 1"),
        dataclasses.replace(HELD, forgotten=("/c",)),
        dataclasses.replace(HELD, events=1),
    ],
)
def test_a_vault_that_holds_something_else_is_not_taken_for_right(found: World) -> None:
    assert HELD.admits(HELD)
    assert not HELD.admits(found)


def test_what_nobody_can_know_may_be_either() -> None:
    either = dataclasses.replace(HELD, states={"/a": UNKNOWN, "/b": "learned"}, current=UNKNOWN)
    assert either.admits(HELD)
    assert either.admits(dataclasses.replace(HELD, current="adapter 1"))


def test_everything_that_can_be_done_is_done_sometimes() -> None:
    rng, world, done = random.Random(5), World(), set()
    for _ in range(2000):
        op = choose(world, rng)
        done.add(op["does"])
        world = after(op, world)[-1]
        if world.current == UNKNOWN:
            world = dataclasses.replace(world, current=None)
    assert done == {
        "put", "put_forgotten", "states", "publish", "use", "rollback", "forget",
        "forget_and_rotate", "retention", "checkpoint", "drop_checkpoint", "rotate", "event",
        "slot",
    }  # fmt: skip
