"""The base's own samples, as they may lie in its folder: general text that needs no outside data.

They are drawn once per base (`generation.sample_rows`). The built-in base ships with its own; for
another base the engine draws them in its first night and the service keeps them.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from trainer.base_format import read_small
from trainer.errors import BaseDamaged

SAMPLES_FILE = "samples.safetensors"
SAMPLE_COUNT, SAMPLE_TOKENS, SAMPLE_SEED = 96, 512, 20140531


def write_samples(folder: Path, rows: npt.NDArray[np.int32]) -> None:
    """Put samples, (count, tokens) int32, into a base's folder."""
    (folder / SAMPLES_FILE).write_bytes(save({"samples": np.ascontiguousarray(rows)}))


def read_samples(folder: Path, *, vocabulary: int) -> npt.NDArray[np.int32] | None:
    """The samples in a base's folder, (count, tokens) int32; None where there are none.

    Raises:
        BaseDamaged: the file holds something else.
    """
    if not (folder / SAMPLES_FILE).exists():
        return None
    try:
        rows = load(read_small(folder / SAMPLES_FILE))["samples"]
    except (SafetensorError, KeyError) as error:
        raise BaseDamaged(SAMPLES_FILE, "it holds no samples") from error
    if rows.ndim != 2 or rows.dtype != np.int32 or 0 in rows.shape:
        raise BaseDamaged(SAMPLES_FILE, "it holds no samples")
    if rows.min() < 0 or rows.max() >= vocabulary:
        raise BaseDamaged(SAMPLES_FILE, "a token is not in the vocabulary")
    return rows
