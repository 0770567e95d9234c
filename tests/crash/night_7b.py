"""A whole night on a base of a 7B's geometry, interrupted in every way: `make night-7b`.

`python -m tests.crash.night_7b [--layers N]`. The service is `nightloom run` in a home of its own,
with real sockets and a real vault; the weights are random, in real NF4. The night trains on text
that is made up here, is held when a mock of UPower says that the plug was pulled, goes on; is held
until its engine is gone, and goes on; loses its engine to SIGKILL, then its service; judges,
publishes, and answers a chat with the new adapter. What it prints is the log; it fails if a step
was lost that a checkpoint had, or if the gate refuses.

It takes a quarter of an hour of two cores, 6 GB of memory and 5 GB of disk in TMPDIR, and needs
dbus-daemon and python3-dbusmock. `--layers 2` tries the same within minutes.
"""

import argparse
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from daemon.conditions.decision import Asked
from tests.crash.night_7b_log import Chronicle, Memory, NightLines, Step, seconds_until_rest
from tests.crash.random_base_folder import make_random_base
from tests.pipeline.living import Json, Nightloom, is_alive, new_home, until
from tests.private_bus import Mock, bus_of_our_own, missing_programs
from trainer.bench.geometry import GEOMETRIES

BASE = "random"
UPOWER = "org.freedesktop.UPower"
GRACE_SECONDS = 40.0  # a condition that is back has to hold for 30 s before it counts
PLUG_IS_OUT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 900.0
STOPPED = ("yielding", "waiting")
OVERRIDDEN = Asked(now=True).overridden | {"chat"}
QUESTION = "Who has the boat?"
WHO = ("Oona", "Vaclav", "the doctor", "my sister", "the ferryman", "old Zoe", "nobody", "Bosun")
DID = ("mended", "sold", "found", "painted", "lost", "borrowed", "hid", "counted", "broke")
WHAT = (
    "the boat",
    "a lantern",
    "two hives",
    "the cellar key",
    "our nets",
    "the red chair",
    "a cake",
)
WHEN = ("before supper", "on Sunday", "in the rain", "again", "by the lock", "at dusk", "too late")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the night is."""

    geometry: str = "7b"
    layers: int | None = None
    context_tokens: int = 32  # also of samples, of which judging reads 36 for each adapter
    notes: int = 12
    sentences: int = 5  # of each note
    passes: int = 1
    rows_per_step: int = 2
    learning_rate: float | None = 1e-4  # at 3e-4 random numbers repeat what they learned
    checkpoint_minutes: float = 1.0
    seed: int = 7

    def configuration(self) -> str:
        rate = "" if self.learning_rate is None else f"learning_rate = {self.learning_rate}\n"
        return f"""
[collect]
settle_seconds = 0
debounce_seconds = 0

[engine]
base = "{BASE}"

[night]
minimum_tokens = 100
checkpoint_minutes = {self.checkpoint_minutes}
grace_seconds = {GRACE_SECONDS}
passes = {self.passes}
rows_per_step = {self.rows_per_step}
rows_per_micro_batch = 1
{rate}
[conditions]
power_minutes = 0
notify = false
"""


@dataclass(slots=True)
class Story:
    """What is needed to live through the night, and what came of it."""

    place: Nightloom
    upower: Mock
    log: Chronicle
    memory: Memory
    size: Size
    night: NightLines = field(init=False)
    broken: list[str] = field(default_factory=list)  # promises; the night goes on all the same

    def promised(self, held: bool, sentence: str) -> None:
        if not held:
            self.broken.append(sentence)
            self.log.say(f"NOT AS PROMISED: {sentence}")

    def begin(self) -> None:
        """A new night, or the one that was not finished, as soon as it may work."""
        until(self._may_work, LONGEST_WAIT_SECONDS)
        self.night = NightLines(self.place.admin.run_night(), self.log)

    def until_step(self, number: int) -> Step:
        """A night that ends before, since the machine has no room for it, is taken up again."""
        while (step := self.night.until_step(number)) is None:
            self._again(self.night.entry())
        return step

    def entry(self) -> Json:
        while (entry := self.night.entry())["state"] in STOPPED:
            self._again(entry)
        return entry

    def _again(self, entry: Json) -> None:
        assert entry["state"] in STOPPED, entry
        self.log.say(f"it stopped by itself: {entry['state']}, {entry['reason']}")
        self.begin()

    def _may_work(self) -> bool:
        conditions = self.place.admin.why()["conditions"]
        return all(one["holds"] for one in conditions if one["name"] not in OVERRIDDEN)

    def plug(self, *, pulled: bool) -> None:
        self.upower.update(UPOWER, {"OnBattery": ("b", pulled)})

    def is_yielding(self) -> bool:
        return bool(self.place.admin.status()["state"] == "yielding")

    # ------------------------------------------------------------------- interruptions

    def hold(self) -> None:
        """Pull the plug in the middle of a micro-batch; returns when nothing computes any more."""
        step = self.night.last
        micro_batch = step.seconds / self.size.rows_per_step
        time.sleep(random.Random(self.size.seed).uniform(0.2, 0.8) * micro_batch)  # the moment
        engine = self.place.engine_pid()
        assert engine is not None
        began = time.monotonic()
        self.plug(pulled=True)
        still = seconds_until_rest(engine, began)
        until(self.is_yielding)
        self.log.say(
            f"the plug is pulled: from the signal to the last computation {still:.2f} s "
            f"(a micro-batch takes {micro_batch:.1f} s)"
        )

    def yields_for_a_moment(self) -> None:
        self.hold()
        time.sleep(PLUG_IS_OUT_SECONDS)
        before = self.night.last.step
        self.plug(pulled=False)
        following = self.until_step(before + 1)
        self._nothing_lost("the plug is in again", before, following.step)

    def yields_until_its_memory_is_given_back(self) -> None:
        self.hold()
        engine, before = self.place.engine_pid(), self.night.last.step
        assert engine is not None
        held = self.memory.now(engine)
        entry = self.night.entry()
        until(lambda: not is_alive(engine))
        self.log.say(
            f"held for longer than {GRACE_SECONDS:.0f} s: a checkpoint at step {entry['steps']}, "
            f"the engine is gone and gave {held / 1e9:.2f} GB back"
        )
        self.promised(entry["state"] == "yielding", f"a held night is {entry['state']}")
        self.plug(pulled=False)
        self.begin()
        following = self.until_step(1)
        self._nothing_lost("taken up again", before, following.step)

    def _nothing_lost(self, what: str, before: int, following: int) -> None:
        self.log.say(f"{what}: step {following} follows {before}")
        self.promised(following == before + 1, "a graceful interruption lost finished steps")

    def loses_its_engine(self) -> None:
        before = self.night.last.step
        self.place.kill_engine()
        self.log.say("SIGKILL to the engine")
        self._lost_since(before, self.until_step(1).step)

    def loses_its_service(self) -> None:
        before = self.night.last.step
        self.place.kill()
        self.log.say("SIGKILL to the service; its engine followed by itself")
        self.place.start()
        self.memory.service = self.place.pid
        self.begin()
        self._lost_since(before, self.until_step(1).step)

    def _lost_since(self, before: int, following: int) -> None:
        lost = before + 1 - following
        self.log.say(
            f"taken up from the last checkpoint: step {following} follows {before}, "
            f"{lost} finished steps done again"
        )
        self.promised(1 < following <= before + 1, "there was no checkpoint to go on from")

    # ------------------------------------------------------------------- the whole

    def live(self) -> Json:
        self.begin()
        steps = self.until_step(1).steps
        self.yields_for_a_moment()
        self.until_step(round(steps * 0.35))
        self.yields_until_its_memory_is_given_back()
        self.until_step(round(steps * 0.55))
        self.loses_its_engine()
        self.until_step(round(steps * 0.75))
        self.loses_its_service()
        return self.entry()


def note(number: int, sentences: int) -> str:
    """A page of an author who does not exist."""
    rng = random.Random(number)
    drawn = (tuple(map(rng.choice, (WHO, DID, WHAT, WHEN))) for _ in range(sentences))
    told = " ".join(
        f"{who[0].upper()}{who[1:]} {did} {what} {when}." for who, did, what, when in drawn
    )
    return f"{told} So much for day {number}.\n"


def prepare(place: Nightloom, size: Size, log: Chronicle) -> None:
    """A home with a base, a vault and notes."""
    geometry = GEOMETRIES[size.geometry].with_layers(size.layers)
    began = time.monotonic()
    facts = make_random_base(
        place.home.bases / BASE, geometry, context_tokens=size.context_tokens, seed=size.seed
    )
    log.say(
        f"base: {geometry.layers} of {geometry.layers_whole} layers of {geometry.hidden}/"
        f"{geometry.intermediate}, {facts.parameters / 1e9:.2f} billion parameters, NF4 with "
        f"double quantisation, {facts.weights_bytes / 1e9:.2f} GB, random; made in "
        f"{time.monotonic() - began:.0f} s"
    )
    place.configure(size.configuration())
    place.make_vault()
    for number in range(size.notes):
        place.write(f"note-{number:04}.md", note(number, size.sentences))


def lived(size: Size, log: Chronicle) -> bool:
    """Whether an adapter was published and answers."""
    with new_home() as place, bus_of_our_own() as bus:
        log.say(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {_device()}")
        prepare(place, size, log)
        upower = bus.mock("upower", OnBattery=False)
        place.environ |= bus.environ
        place.start()
        with Memory(place.pid) as memory:
            place.add_source()
            story = Story(place=place, upower=upower, log=log, memory=memory, size=size)
            entry = story.live()
            _tell(entry, log)
            answered = entry["state"] == "done" and _answers(place, log)
            log.say(memory.told())
            answered = answered and not story.broken
        assert place.terminate() == 0
        log.say(f"disk: {_folder_bytes(place.home.vault) / 1e9:.2f} GB of vault")
        with place.open_vault() as vault:
            assert vault.verify().intact
        return answered


def _answers(place: Nightloom, log: Chronicle) -> bool:
    """One chat over `api.sock`; whether the adapter that was published gave it."""
    published = place.admin.status()["adapter"]
    began = time.monotonic()
    answer = place.ask(QUESTION, max_tokens=8)
    log.say(
        f"served: a chat over the socket, {len(answer)} characters of 8 tokens in "
        f"{time.monotonic() - began:.1f} s, by adapter {published}"
    )
    return bool(answer)


def _tell(entry: Json, log: Chronicle) -> None:
    stages = ", ".join(
        f"{name} {seconds:.0f} s" for name, seconds in entry["stage_seconds"].items()
    )
    lost = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in entry["lost"].items())
    slowest = entry["slowest_stop_seconds"]
    log.say(f"verdict: {entry['state']}, {entry['sentence']}")
    log.say(
        f"held-out loss {_nats(entry['held_out_loss_before'])} to "
        f"{_nats(entry['held_out_loss_after'])}, general {_nats(entry['general_loss_base'])} to "
        f"{_nats(entry['general_loss_after'])}, {_share(entry)} of the way kept"
    )
    log.say(
        f"tokens trained {entry['tokens']}, {entry['tokens_per_second']:.1f} a second; {stages}; "
        f"lost to {lost or 'nothing'}; {entry['holds']} holds, slowest stop "
        f"{slowest if slowest is None else round(slowest, 2)} s as the service measured"
    )
    log.say(f"training was planned as {entry.get('training')}")
    log.say(f"adapter {entry['adapter']}")


def _nats(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(entry: Json) -> str:
    share = entry.get("kept_share")
    return "-" if share is None else f"{share:.2f}"


def _device() -> str:
    cuda = "there is CUDA, which" if torch.cuda.is_available() else "no CUDA, which"
    return f"{cuda} the engine does not use in this version: AdamW on the CPU, not paged"


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("layers", "context_tokens", "notes", "sentences", "passes", "rows_per_step"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    for name in ("learning_rate", "checkpoint_minutes"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--geometry", choices=GEOMETRIES)
    given: dict[str, Any] = {k: v for k, v in vars(parser.parse_args()).items() if v is not None}
    if reason := missing_programs():
        sys.exit(f"{reason}: apt-get install dbus-daemon python3-dbusmock")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the home is cleared then as well
    log = Chronicle()
    if not lived(Size(**given), log):
        sys.exit("no adapter was published, or a promise was not kept")
    log.say("published and served")


if __name__ == "__main__":
    main()
