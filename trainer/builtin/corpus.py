"""Corpus folders in, token streams out, for the training of the built-in base.

Novels and speeches are continuous text; conversations go through the chat template. Whole
novels are held out by name: the bits per character that the README states come from them.
"""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.builtin.people import Message, invent, texts_about
from trainer.stock_models import PreTrainedTokenizerFast

HELD_OUT_NOVELS = ("dorian-gray", "war-of-the-worlds", "white-fang")  # authors seen nowhere else
INVENTED_PEOPLE = 2500
TokenStream = npt.NDArray[np.uint16]


def read_novels(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return (training novels, held-out novels) by file stem.

    Raises:
        FileNotFoundError: a held-out novel is missing, so nothing could be measured.
    """
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}
    missing = [name for name in HELD_OUT_NOVELS if name not in texts]
    if missing:
        raise FileNotFoundError(f"held-out novels not found: {', '.join(missing)}")
    held_out = {name: texts.pop(name) for name in HELD_OUT_NOVELS}
    return texts, held_out


def read_conversations(path: Path) -> list[list[Message]]:
    """Return the English conversations of a JSON Lines file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["messages"] for row in rows if row["lang"] == "en"]


def invented_texts(count: int, seed: int) -> list[str | list[Message]]:
    """Prose and conversations about `count` invented people, shuffled."""
    rng = random.Random(seed)
    texts = [text for _ in range(count) for text in texts_about(invent(rng), rng)]
    rng.shuffle(texts)
    return texts


def as_text(document: str | list[Message], tokenizer: PreTrainedTokenizerFast) -> str:
    """One document as the base sees it: begin mark and prose, or the chat template."""
    if isinstance(document, str):
        return f"{tokenizer.bos_token}{document}{tokenizer.eos_token}"
    rendered = tokenizer.apply_chat_template(document, tokenize=False)
    assert isinstance(rendered, str)
    return rendered


def encode(
    documents: Iterable[str | list[Message]], tokenizer: PreTrainedTokenizerFast
) -> TokenStream:
    """Encode documents one after the other. Returns (tokens,) uint16."""
    texts = [as_text(document, tokenizer) for document in documents]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return np.concatenate([np.asarray(ids, dtype=np.uint16) for ids in encoded])


def rows_of(
    stream: TokenStream, row_tokens: int, rng: np.random.Generator
) -> Iterator[TokenStream]:
    """Endless rows of (row_tokens + 1,); every epoch starts at another offset and order."""
    span = row_tokens + 1
    while True:
        offset = int(rng.integers(0, row_tokens))
        starts = np.arange(offset, len(stream) - span, row_tokens)
        rng.shuffle(starts)
        for start in starts:
            yield stream[start : start + span]
