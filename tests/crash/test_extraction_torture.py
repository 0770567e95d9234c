"""A few damaged files of every kind; `make torture` for a minute of them."""

import os
import random

import pytest

from daemon.extracting.extractor import Extractor
from daemon.extracting.formats import FORMATS
from tests.crash.extraction_samples import samples
from tests.crash.extraction_torture import LIMITS, SETTINGS, fuzzed, torture

FILES = 60


@pytest.mark.timeout(180)  # some seconds are usual; the machine may be busy
def test_damaged_files_cost_nothing_but_themselves() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"python -m tests.crash.extraction_torture --seed {seed}")  # shown when it fails
    found = torture(seed=seed, enough=lambda so_far: so_far.files >= FILES)
    assert found.files == FILES
    assert found.documents > 0
    assert found.reasons.total() > 0


def test_no_format_is_left_out() -> None:
    assert fuzzed().keys() == FORMATS.keys()


def test_what_is_damaged_was_good() -> None:
    extractor = Extractor(limits=LIMITS)
    try:
        for name, files in samples().items():
            for data in files:
                descriptor = os.memfd_create("good")
                os.write(descriptor, data)
                os.lseek(descriptor, 0, os.SEEK_SET)
                found = list(
                    extractor.documents(
                        descriptor, format=name, source=SETTINGS, path=f"good.{name}",
                        size=len(data), most_bytes=1 << 20,
                    )
                )  # fmt: skip
                os.close(descriptor)
                assert any("bees" in one.text.lower() for one in found), name
    finally:
        extractor.close()
