"""Interrupts nights at random moments, gracefully, and looks that nothing finished is lost.

`python -m tests.crash.yield_torture [--interruptions N] [--seed N]` does it on the built-in base
for as long as wanted, a part of `make torture`; `test_night_shift.py` does a few on a tiny one.
The service's side runs here, with a vault of its own; the engine is a real process. A night is
held and goes on, or is held until its engine is gone, or is told to stop; sometimes a client chats
meanwhile. Each night has to make the very adapter that an undisturbed one makes, and to finish each
micro-batch once.
"""

import argparse
import asyncio
import contextlib
import functools
import math
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.engine_handle import EngineHandle, EngineState
from daemon.engine_process import body_json
from daemon.night_memory import NightMemory
from daemon.night_planning import PlanPolicy
from daemon.night_record import NightState, Record
from daemon.night_runner import NightRunner
from daemon.night_shift import NightShift
from daemon.tonight import NightOptions
from daemon.vault_door import VaultDoor
from ipc.link import Message
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, written
from trainer.base_format import read_facts
from trainer.builtin_base import BUILTIN_BASE
from trainer.gate import GatePolicy

NOW = 1_800_000_000.0  # draws who judges, so every night here is the same one
KINDS = (*["go on"] * 6, *["stop"] * 3, "let go")  # a new engine takes seconds
GRACE_SECONDS = 0.05
PREPARING_LEFT_ALONE = 0.8  # there is little to lose yet
NOTES = 20
ASKED = {"prompt": "The bees"}
SAMPLING = {"adapter": None, "max_tokens": 4, "temperature": 0.0, "top_p": 1.0, "seed": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What nights are made of."""

    base: Path
    texts: Sequence[str] = field(repr=False)
    recipe: dict[str, Any]
    longest_seconds: float  # from one interruption to the next
    samples: tuple[str, bytes] | None = field(default=None, repr=False)  # where none came with it
    threads: int = 1


@dataclass
class Findings:
    """What happened, for who wants to know."""

    seed: int
    nights: int = 0
    micro_batches: int = 0  # of one night
    stop_seconds: list[tuple[float, str]] = field(default_factory=list)  # and what was stopped
    kinds: Counter[str] = field(default_factory=Counter)
    chats: int = 0

    @property
    def interruptions(self) -> int:
        return self.kinds.total()

    def summary(self) -> str:
        counted = ", ".join(f"{number} {kind}" for kind, number in sorted(self.kinds.items()))
        return (
            f"{self.interruptions} interruptions ({counted}; {self.chats} chats), "
            f"from the word to the last computation, {len(self.stop_seconds)} times: "
            f"median {self.percentile(0.5):.3f} s, "
            f"p95 {self.percentile(0.95):.3f} s, longest {self.percentile(1.0):.3f} s"
        )

    def percentile(self, share: float) -> float:
        """Seconds from the word to the last computation."""
        ordered = sorted(seconds for seconds, _ in self.stop_seconds)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


class ListeningHandle(EngineHandle):
    """Notes what the engine tells of training."""

    finished: list[int]  # micro-batches, by each `train` as its last checkpoint has them
    steps: list[int]

    def forget(self) -> None:
        self.finished, self.steps = [], []

    async def request(self, op: str, *given: Any, **more: Any) -> AsyncGenerator[Message, None]:
        if op == "train":
            self.finished.append(0)
        async with contextlib.aclosing(super().request(op, *given, **more)) as messages:
            async for message in messages:
                if message.header["event"] == "checkpoint":
                    self.finished[-1] = int(message.header["micro_batches"])
                if message.header["event"] == "step":
                    self.steps.append(int(message.header["step"]))
                yield message


@contextlib.asynccontextmanager
async def engine_on(ground: Ground) -> AsyncIterator[ListeningHandle]:
    async def weights(digest: str) -> bytes:
        raise AssertionError("no night here has a parent")

    engine = ListeningHandle(
        base_folder=lambda: ground.base, weights=weights, threads=ground.threads
    )
    try:
        yield engine
    finally:
        await engine.stop()


@contextlib.asynccontextmanager
async def nights_of(
    ground: Ground, engine: EngineHandle, folder: Path
) -> AsyncIterator[NightRunner]:
    """A vault in which the texts wait."""
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    vault.documents.put_many(
        [written(text, f"/notes/{number}.md") for number, text in enumerate(ground.texts)]
    )
    if ground.samples is not None:
        vault.samples.write(ground.samples[0], [ground.samples[1]])
    door = VaultDoor(vault)
    shift = NightShift(
        vault=door,
        engine=engine,
        base=lambda: read_facts(ground.base),
        memory=NightMemory(lambda: ground.base, free=lambda: 8 << 30),
        options=NightOptions(
            recipe=ground.recipe,
            plan=PlanPolicy(minimum_tokens=100),
            gate=GatePolicy(),
            max_seconds=1e6,
            checkpoint_seconds=1e6,
        ),
        clock=lambda: NOW,
    )
    try:
        yield NightRunner(shift, grace_seconds=GRACE_SECONDS)
    finally:
        await door.close()


class Night:
    """One night, taken up as often as it is let go, until it has ended."""

    def __init__(self, runner: NightRunner) -> None:
        self.runner = runner
        self.ended: Record | None = None
        self.may_begin = asyncio.Event()
        self.may_begin.set()
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while self.ended is None:
            await self.may_begin.wait()
            async for line in self.runner.watch():
                night = line.get("night")
                if night is not None and night["state"] not in ("yielding", "waiting"):
                    self.ended = night

    async def end(self) -> Record:
        await self._watching
        assert self.ended is not None
        return self.ended


async def torture(
    ground: Ground,
    engine: ListeningHandle,
    folder: Path,
    *,
    seed: int,
    interruptions: int,
    kinds: Sequence[str] = KINDS,
    tell: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Interrupt so often, over as many nights as that takes. Raises AssertionError.

    Args:
        folder: for the vaults.
    """
    rng = random.Random(seed)
    found = Findings(seed=seed)
    engine.forget()
    async with nights_of(ground, engine, folder / "whole") as runner:
        whole = await Night(runner).end()
    assert whole["adapter"], whole
    found.micro_batches = sum(engine.finished)
    steps = list(engine.steps)
    tell(f"undisturbed: {found.micro_batches} micro-batches in {whole['seconds']:.0f} s")
    while found.interruptions < interruptions:
        engine.forget()
        async with nights_of(ground, engine, folder / f"night-{found.nights}") as runner:
            record = await _disturbed(
                Night(runner), engine, ground, rng, found, interruptions, kinds, tell
            )
        assert record["adapter"] == whole["adapter"], "another adapter than undisturbed"
        assert sum(engine.finished) == found.micro_batches, "a micro-batch was done twice"
        assert engine.steps == steps, "a step was done twice"
        found.nights += 1
        tell(f"night {found.nights} made the same adapter")
    return found


async def _disturbed(
    night: Night,
    engine: EngineHandle,
    ground: Ground,
    rng: random.Random,
    found: Findings,
    interruptions: int,
    kinds: Sequence[str],
    tell: Callable[[str], None],
) -> Record:
    """The night's record in the end."""
    while night.ended is None and found.interruptions < interruptions:
        await asyncio.sleep(rng.uniform(0.0, ground.longest_seconds))  # the moment is random
        state = night.runner.state
        if state not in (NightState.PREPARING, NightState.TRAINING, NightState.JUDGING):
            continue
        if state is NightState.PREPARING and rng.random() < PREPARING_LEFT_ALONE:
            continue
        kind = rng.choice(kinds)
        if kind == "stop":
            if not await night.runner.stop():
                continue
        elif not await _held(night, engine, rng, found, state, let_go=kind == "let go"):
            continue
        found.kinds[kind] += 1
        if found.interruptions % 10 == 0:
            tell(found.summary())
    return await night.end()


async def _held(
    night: Night,
    engine: EngineHandle,
    rng: random.Random,
    found: Findings,
    state: NightState,
    *,
    let_go: bool,
) -> bool:
    """Hold, and go on or let it go; whether the night had not ended before."""
    runner = night.runner
    held = await runner.hold("presence")
    if held is None:
        return False
    found.stop_seconds.append((held.stop_seconds, state.value))
    if let_go:
        night.may_begin.clear()
        await runner.idle()
        assert engine.state is EngineState.STOPPED, "its memory was to be given back"
        night.may_begin.set()
        return True
    if engine.state is EngineState.SERVING and rng.random() < 0.2:
        await engine.ask("generate", SAMPLING, body_json(ASKED))
        found.chats += 1
    await runner.go_on()
    return True


# --------------------------------------------------------------------------- on the built-in base


def builtin_ground(longest_seconds: float, threads: int) -> Ground:
    """Rows as a night has them, each a micro-batch of its own: so steps are interrupted in their
    middle too, and a dropped one costs little."""
    notes = Path(__file__).parents[2] / "daemon" / "demo_notes"
    texts = [path.read_text(encoding="utf-8") for path in sorted(notes.glob("*.md"))[:NOTES]]
    return Ground(
        base=BUILTIN_BASE,
        texts=texts,
        recipe={
            "preset": "personal",
            "passes": 2,
            "general_budget": 0.016,
            "finetune": {"rows_per_micro_batch": 1},
        },
        longest_seconds=longest_seconds,
        threads=threads,
    )


async def on_builtin_base(
    *, seed: int, interruptions: int, longest_seconds: float, threads: int
) -> Findings:
    ground = builtin_ground(longest_seconds, threads)
    with tempfile.TemporaryDirectory() as folder:
        async with engine_on(ground) as engine:
            return await torture(
                ground,
                engine,
                Path(folder),
                seed=seed,
                interruptions=interruptions,
                tell=functools.partial(print, flush=True),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interruptions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--longest-seconds", type=float, default=1.0, help="between two of them")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0 takes all cores")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    began = time.monotonic()
    found = asyncio.run(on_builtin_base(**vars(given)))
    for state in sorted({state for _, state in found.stop_seconds}):
        seconds = sorted(one for one, at in found.stop_seconds if at == state)
        print(f"held while {state}: {len(seconds)} times, longest {seconds[-1]:.3f} s")
    print(
        f"{found.summary()}\n{found.nights} nights of {found.micro_batches} micro-batches in "
        f"{time.monotonic() - began:.0f} s: none was done twice, and every adapter is "
        "bit-identical to the undisturbed one"
    )


if __name__ == "__main__":
    main()
