"""What is known of one text without the others, as an object and as bytes.

The bytes are enough to find facts anew, when other texts came or went, without reading the text
again. They are made of the user's text, so they are for memory only. Numbers are stored as narrow
as they can be: about 1.2 kB for a letter of 350 words, 4 kB for a chapter.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.near_duplicates import Signature, signature_of
from trainer.overlap import Outline

_HEAD = struct.Struct("<BddHHHQdQ")
_ARRAY = struct.Struct("<BI")
_WIDTHS: tuple[Any, ...] = (np.uint8, np.uint16, np.uint32, np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What is known of one text without the others."""

    modified_at: float
    language: str
    quality: float
    reason: str | None
    signature: Signature | None = field(default=None, repr=False)  # None: nothing is compared
    outline: Outline | None = field(default=None, repr=False)  # with it


class NoteBroken(ValueError):  # noqa: N818 - says what is wrong
    """These bytes are no note."""


def packed(alone: Alone) -> bytes:
    """The note of a text; see `unpacked`."""
    sign, drawn = alone.signature, alone.outline
    words = [alone.language.encode(), (alone.reason or "").encode()]
    state = sign.state() if sign is not None else b""
    head = _HEAD.pack(
        sign is not None and drawn is not None,
        alone.modified_at,
        alone.quality,
        *map(len, (*words, state)),
        sign.runs if sign is not None else 0,
        drawn.share if drawn is not None else 0.0,
        drawn.characters if drawn is not None else 0,
    )
    parts = [head, *words, state]
    if drawn is not None:
        keys = np.unique(np.concatenate((drawn.run_lines.ravel(), drawn.lines)))
        for numbers in (
            drawn.runs,
            keys,
            np.searchsorted(keys, drawn.run_lines.ravel()),
            np.searchsorted(keys, drawn.lines),
            drawn.line_characters,
        ):
            parts += _array(numbers)
    return b"".join(parts)


def unpacked(note: bytes) -> Alone:
    """Raises `NoteBroken`."""
    try:
        return _unpacked(note)
    except (struct.error, ValueError, IndexError, TypeError):
        raise NoteBroken from None


def _unpacked(note: bytes) -> Alone:
    compared, modified_at, quality, *sizes, runs, share, characters = _HEAD.unpack_from(note)
    at = _HEAD.size
    words: list[bytes] = []
    for size in sizes:
        words.append(note[at : at + size])
        at += size
    language, reason, state = words
    sign = drawn = None
    if compared:
        arrays = []
        for _ in range(5):
            numbers, at = _read_array(note, at)
            arrays.append(numbers)
        samples, keys, run_lines, lines, line_characters = arrays
        sign = signature_of(state, runs)
        drawn = Outline(
            runs=samples.astype(np.uint32),
            run_lines=keys.astype(np.uint32)[run_lines].reshape(2, len(samples)),
            share=share,
            lines=keys.astype(np.uint32)[lines],
            line_characters=line_characters.astype(np.int64),
            characters=characters,
        )
    return Alone(
        modified_at=modified_at,
        language=language.decode(),
        quality=quality,
        reason=reason.decode() or None,
        signature=sign,
        outline=drawn,
    )


def _array(numbers: npt.NDArray[Any]) -> Sequence[bytes]:
    most = int(numbers.max()) if len(numbers) else 0
    width = next(place for place, kind in enumerate(_WIDTHS) if most <= np.iinfo(kind).max)
    return _ARRAY.pack(width, len(numbers)), numbers.astype(_WIDTHS[width]).tobytes()


def _read_array(note: bytes, at: int) -> tuple[npt.NDArray[Any], int]:
    width, count = _ARRAY.unpack_from(note, at)
    at += _ARRAY.size
    numbers = np.frombuffer(note, dtype=_WIDTHS[width], count=count, offset=at)
    return numbers, at + numbers.nbytes
