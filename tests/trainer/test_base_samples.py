"""The base's own samples in its folder."""

from pathlib import Path

import numpy as np
import pytest

from trainer.base_format import read_facts
from trainer.base_samples import (
    SAMPLE_COUNT,
    SAMPLE_TOKENS,
    SAMPLES_FILE,
    read_samples,
    write_samples,
)
from trainer.builtin_base import BUILTIN_BASE
from trainer.errors import BaseDamaged

ROWS = np.arange(12, dtype=np.int32).reshape(3, 4)


def test_samples_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_samples(tmp_path, ROWS)
    found = read_samples(tmp_path, vocabulary=12)
    assert found is not None
    assert np.array_equal(found, ROWS)


def test_a_base_may_have_no_samples(tmp_path: Path) -> None:
    assert read_samples(tmp_path, vocabulary=12) is None


def test_a_token_beyond_the_vocabulary_is_refused(tmp_path: Path) -> None:
    write_samples(tmp_path, ROWS)
    with pytest.raises(BaseDamaged):
        read_samples(tmp_path, vocabulary=11)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\xff" * 64])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SAMPLES_FILE).write_bytes(content)
    with pytest.raises(BaseDamaged):
        read_samples(tmp_path, vocabulary=12)


def test_the_built_in_base_ships_with_its_samples() -> None:
    found = read_samples(BUILTIN_BASE, vocabulary=4096)
    assert found is not None
    assert found.shape == (SAMPLE_COUNT, SAMPLE_TOKENS)
    assert SAMPLES_FILE in read_facts(BUILTIN_BASE).files  # so that its digest is checked
