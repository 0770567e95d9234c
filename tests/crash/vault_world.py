"""What a vault should hold, and what each piece of work makes of it. Pure.

The process that works in a vault and the one that kills it both follow this: the one to choose
what to do next, the other to know what has to be there afterwards.
"""

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CANARY = "quietheronmarsh"  # in every text, path, name and weight: it may stand nowhere in clear
SOURCE = f"notes {CANARY}"
UNKNOWN = "?"  # of a state or a pointer: either is right, and what is there counts from now on
MOST_TEXTS = 120
STATES = ("new", "held_out", "stable", "learned")

Op = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Values only, so that it passes through JSON."""

    number: int = 0  # of what was made last: texts, paths and weights are numbered in one row
    texts: Mapping[str, int] = field(default_factory=dict)  # number of the live text, by path
    states: Mapping[str, str] = field(default_factory=dict)  # by path
    forgotten: tuple[str, ...] = ()
    adapters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the paths it saw
    withdrawn: tuple[str, ...] = ()
    current: str | None = None  # an adapter
    checkpoints: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    rotations: int = 0
    recovery: bool = True

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "World":
        lists = {"forgotten": tuple(value["forgotten"]), "withdrawn": tuple(value["withdrawn"])}
        seen = {name: tuple(paths) for name, paths in value["adapters"].items()}
        return cls(**{**value, **lists, "adapters": seen})

    def admits(self, found: "World") -> bool:
        """Whether a vault that holds `found` is one that should hold this."""
        states = all(
            wanted in (UNKNOWN, found.states.get(path)) for path, wanted in self.states.items()
        )
        current = self.current in (UNKNOWN, found.current)
        same = dataclasses.replace(
            self, states=found.states, current=found.current, number=found.number
        )
        return states and current and same == found


def text_of(number: int) -> str:
    return f"Note {number} of the {CANARY}: " + " ".join(f"{CANARY}{number}" for _ in range(30))


def weights_of(name: str) -> bytes:
    return f"{CANARY} {name} ".encode() * 3000


def path_of(number: int) -> str:
    return f"/home/ada/{CANARY}/{number}.md"


def choose(world: World, rng: random.Random) -> Op:
    """Something that can be done in this world."""
    can: dict[str, int] = {"put": 30, "rotate": 12, "checkpoint": 8, "event": 4, "slot": 6}
    if world.texts:
        can |= {"edit": 12, "states": 10, "publish": 12, "forget": 8, "forget_and_rotate": 4}
        can["retention"] = 60 if len(world.texts) > MOST_TEXTS else 3
    if world.forgotten:
        can["put_forgotten"] = 6
    if world.checkpoints:
        can["drop_checkpoint"] = 3
    if world.current is not None:
        can["rollback"] = 4
    if usable := sorted(set(world.adapters) - set(world.withdrawn)):
        can["use"] = 5
    does = rng.choices(list(can), weights=list(can.values()))[0]
    next_number = world.number + 1
    paths = sorted(world.texts)
    some = rng.sample(paths, min(len(paths), rng.randint(1, 8)))
    match does:
        case "put":
            many = range(next_number, next_number + rng.randint(1, 30))
            return {"does": does, "texts": {path_of(number): number for number in many}}
        case "edit":
            numbers = range(next_number, next_number + len(some))
            return {"does": "put", "texts": dict(zip(some, numbers, strict=True))}
        case "put_forgotten":
            path = rng.choice(world.forgotten)
            return {"does": does, "path": path, "number": next_number}
        case "states":
            return {"does": does, "states": {path: rng.choice(STATES) for path in some}}
        case "publish":
            name = f"adapter {next_number}"
            seen = sorted({*some, *world.adapters.get(world.current or "", ())})
            return {"does": does, "name": name, "seen": seen, "number": next_number}
        case "use":
            return {"does": does, "name": rng.choice(usable)}
        case "forget" | "forget_and_rotate":
            return {"does": does, "paths": some[:2]}
        case "retention":
            many_paths = rng.sample(paths, min(len(paths), rng.randint(1, 40)))
            return {"does": does, "paths": many_paths}
        case "checkpoint":
            name = f"night {rng.randint(1, 3)}"
            return {"does": does, "name": name, "number": next_number}
        case "drop_checkpoint":
            return {"does": does, "name": rng.choice(sorted(world.checkpoints))}
    return {"does": does}


def after(op: Op, world: World) -> list[World]:
    """What the vault may hold while and after this is done: each step of it, the last one last."""
    match op["does"]:
        case "put":
            new = dict.fromkeys(op["texts"], "new")
            texts = {**world.texts, **op["texts"]}
            highest = max(op["texts"].values())
            return [_changed(world, number=highest, texts=texts, states={**world.states, **new})]
        case "put_forgotten":
            return [_changed(world, number=op["number"])]
        case "states":
            return [_changed(world, states={**world.states, **op["states"]})]
        case "publish":
            adapters = {**world.adapters, op["name"]: tuple(op["seen"])}
            return [_changed(world, number=op["number"], adapters=adapters, current=op["name"])]
        case "use":
            return [_changed(world, current=op["name"])]
        case "rollback":
            return [_changed(world, current=UNKNOWN)]
        case "forget":
            return [_without(world, op["paths"], forgotten=True)]
        case "forget_and_rotate":
            gone = _without(world, op["paths"], forgotten=True)
            return [gone, _changed(gone, rotations=gone.rotations + 1)]
        case "retention":
            return [_without(world, op["paths"], forgotten=False)]
        case "checkpoint":
            kept = {**world.checkpoints, op["name"]: op["number"]}
            return [_changed(world, number=op["number"], checkpoints=kept)]
        case "drop_checkpoint":
            kept = {name: n for name, n in world.checkpoints.items() if name != op["name"]}
            return [_changed(world, checkpoints=kept)]
        case "rotate":
            return [_changed(world, rotations=world.rotations + 1)]
        case "event":
            return [_changed(world, events=world.events + 1)]
        case "slot":
            return [_changed(world, recovery=not world.recovery)]
    raise ValueError(op["does"])


def _without(world: World, paths: list[str], *, forgotten: bool) -> World:
    texts = {path: number for path, number in world.texts.items() if path not in paths}
    states = {path: state for path, state in world.states.items() if path not in paths}
    if not forgotten:
        return _changed(world, texts=texts, states=states)
    saw = [name for name, seen in world.adapters.items() if not set(paths).isdisjoint(seen)]
    withdrawn = tuple(sorted({*world.withdrawn, *saw}))
    return _changed(
        world,
        texts=texts,
        states=dict.fromkeys(states, UNKNOWN),  # some are to be learned again
        forgotten=tuple(sorted({*world.forgotten, *paths})),
        withdrawn=withdrawn,
        current=UNKNOWN if world.current in saw else world.current,
        checkpoints={},
    )


def _changed(world: World, **changes: Any) -> World:
    return dataclasses.replace(world, **changes)
