"""Fuzzes everything that reads other programs' files, and looks that nobody minds.

`python -m tests.crash.extraction_torture [--seconds N] [--seed N]` does it for as long as wanted,
`make torture` for a minute; `test_extraction_torture.py` reads a few files. Good small files of
every format are damaged at random and read through the real child: each has to give documents or
a reason within its limits, and a good file after it has to be read as before. What is read in the
service's own process is given the same.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from daemon.collecting.decoding import decode
from daemon.collecting.skipping import SkipReason
from daemon.collecting.suffixes import LIGHT
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extractor import Extractor
from daemon.extracting.limits import MIB, Limits
from storage.records import SourceSettings
from tests.crash.extraction_samples import SAID, samples

LIMITS = Limits(seconds=5.0, document_bytes=8 * MIB, file_bytes=64 * MIB)
GRACE_SECONDS = 25.0  # to start a child, and for a machine that has other work
LIGHT_SECONDS = 10.0  # for text of some kilobytes, however it is made
GOOD_EVERY = 20
MOST_BYTES = 256 * 1024
SETTINGS = SourceSettings(name="fuzz", kind="folder", path="/fuzz", me=("Ada", "ada@example.org"))
INTERESTING = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"%s%n", b"]]>", b"<!DOCTYPE x [<!ENTITY a 'b'>]>"),
    *(b"From ", b"\r\n\r\n", b"-1", b"99999999999999999999", b"1e999", b"{[", b'"', b"\\", b"$"),
    *(b"\xe2\x80\xae", b"\xed\xa0\x80", b"((((", b"PK\x03\x04", b"stream\n", b"0 obj", b"\n\n\n"),
)


@dataclass
class Findings:
    """What was read, for who wants to know."""

    seed: int
    files: int = 0
    documents: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    longest_seconds: float = 0.0


def torture(*, seed: int, enough: Callable[[Findings], bool]) -> Findings:
    """Read damaged files until `enough`. Raises AssertionError with the file's number."""
    rng = random.Random(seed)
    seeds = fuzzed()
    found = Findings(seed=seed)
    extractor = Extractor(limits=LIMITS)
    try:
        while not enough(found):
            name = rng.choice(sorted(seeds))
            data = damaged(rng.choice(seeds[name]), rng, others=seeds)
            wrong = rng.random() < 0.05
            _read(extractor, rng.choice(sorted(seeds)) if wrong else name, data, found)
            _read_lightly(data, found)
            found.files += 1
            if found.files % GOOD_EVERY == 0:
                _check_good(extractor, found)
        _check_good(extractor, found)
    finally:
        extractor.close()
    return found


def fuzzed() -> dict[str, list[bytes]]:
    """Files to be damaged, for every format that there is."""
    good = samples()
    return good | {"chat_speakers": good["chats"], "letters": good["eml"] + good["mbox"]}


def damaged(data: bytes, rng: random.Random, *, others: dict[str, list[bytes]]) -> bytes:
    """The file with some of what goes wrong with files."""
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        data = rng.choice(_DAMAGE)(data, rng)[:MOST_BYTES]
    if rng.random() < 0.05:
        data += rng.choice(others[rng.choice(sorted(others))])
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _drop(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.randint(0, 64) :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(data))
    piece = data[start : start + rng.randint(1, 64)]
    return data[:start] + piece * rng.choice((2, 10, 1000)) + data[start:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(INTERESTING) * rng.choice((1, 1, 1, 50, 5000)) + data[place:]


def _shuffle(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


_DAMAGE = (_flip, _cut, _drop, _repeat, _insert, _shuffle)


def _read(extractor: Extractor, name: str, data: bytes, found: Findings) -> None:
    began = time.monotonic()
    try:
        with _descriptor(data) as descriptor:
            for one in extractor.documents(
                descriptor, format=name, source=SETTINGS, path=f"fuzz/file.{name}",
                size=len(data), most_bytes=8 * MIB,
            ):  # fmt: skip
                assert isinstance(one.text, str)
                found.documents += 1
    except ExtractionFailed as failed:
        found.reasons[str(failed.reason)] += 1
    seconds = time.monotonic() - began
    found.longest_seconds = max(found.longest_seconds, seconds)
    assert seconds < LIMITS.seconds + GRACE_SECONDS, f"{_named(found)}: {name} took {seconds:.1f} s"


def _read_lightly(data: bytes, found: Findings) -> None:
    """As the service itself reads plain text."""
    text = decode(data)
    if isinstance(text, SkipReason):
        return
    for suffix, reader in LIGHT.items():
        began = time.process_time()
        reader(text)
        seconds = time.process_time() - began
        assert seconds < LIGHT_SECONDS, f"{_named(found)}: {suffix} took {seconds:.1f} s"


def _check_good(extractor: Extractor, found: Findings) -> None:
    with _descriptor(SAID.encode()) as descriptor:
        [one] = extractor.documents(
            descriptor, format="plain", source=SETTINGS, path="good.txt",
            size=len(SAID.encode()), most_bytes=MIB,
        )  # fmt: skip
    assert one.text == SAID, f"{_named(found)}: a good file is read wrongly after it"


def _named(found: Findings) -> str:
    return f"seed {found.seed}, file {found.files}"


@contextmanager
def _descriptor(data: bytes) -> Iterator[int]:
    """A file that no folder shows."""
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.crash.extraction_torture")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if asked.seed is None else asked.seed
    print(f"seed {seed}: damaged files for {asked.seconds:g} s", flush=True)
    end = time.monotonic() + asked.seconds
    print(torture(seed=seed, enough=lambda _: time.monotonic() >= end))
    return 0


if __name__ == "__main__":
    sys.exit(main())
