"""What the tests of extracting are made of: an extractor with short limits, and a file to read."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extracted import Extracted
from daemon.extracting.extractor import Extractor
from daemon.extracting.formats import FORMATS
from daemon.extracting.limits import MIB, Limits
from storage.records import SourceSettings

HOSTILE = (
    *(
        "tells",
        "refuses",
        "breaks",
        "eats",
        "eats_in_a_library",
        "loops",
        "thinks",
        "waits",
        "floods",
    ),
    *(
        "swells",
        "streams",
        "dies",
        "crashes",
        "babbles",
        "brags",
        "crumbles",
        "tries",
        "reads_elsewhere",
    ),
    "holds",
)
FOR_TESTS = {
    **FORMATS,
    **{name: f"tests.daemon.extracting.hostile:{name}" for name in HOSTILE},
    "missing": "tests.daemon.extracting.there_is_no_such_module:extract",
}
SETTINGS = SourceSettings(name="papers", kind="folder", path="/papers", me=("ada@example.org",))


def until(holds: Callable[[], bool]) -> None:
    """Wait until it does; the cap on a test's time ends the waiting else."""
    while not holds():
        time.sleep(0.005)


def small(**given: Any) -> Limits:
    """Limits that are reached soon."""
    return Limits(**{"address_bytes": 256 * MIB, "document_bytes": 2 * MIB, **given})


def reading(
    extractor: Extractor, file: Path, format: str = "plain", **given: Any
) -> Iterator[Extracted]:
    """The documents in a file, as they come."""
    descriptor = os.open(file, os.O_RDONLY)
    told: dict[str, Any] = {
        "source": SETTINGS,
        "path": f"folder/{file.name}",
        "size": file.stat().st_size,
        "most_bytes": 64 * MIB,
    }
    try:
        yield from extractor.documents(descriptor, format=format, **(told | given))
    finally:
        os.close(descriptor)


def read(
    extractor: Extractor, file: Path, format: str = "plain", **given: Any
) -> tuple[list[Extracted], SkipReason | None]:
    """The documents that came, and why there were no more."""
    documents = []
    try:
        for document in reading(extractor, file, format, **given):
            documents.append(document)
    except ExtractionFailed as failed:
        return documents, failed.reason
    return documents, None
