"""Homes with a tiny base, whose nights take seconds: for what does not depend on the model.

The base is a Llama of two layers that has seen a page of text, in real NF4; it is trained, asked
and judged as any other. The notes are in words that it does not know.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tests.pipeline.living import TINY, Nightloom, entry_of, new_home
from tests.trainer.tiny_bases import TEXT, full_precision_folder
from trainer.quantising import quantise_folder
from trainer.stock_models import LlamaForCausalLM, PreTrainedTokenizerFast

NOTES = 16
KNOWN_WORDS = sorted(set(TEXT.replace(",", "").replace(".", "").replace("?", "").split()))
SYLLABLES = ("ba", "du", "fen", "gor", "hi", "kel", "lum", "mo", "nar", "pi", "ro", "sut", "vel")
SCHOOL_STEPS, SCHOOL_ROWS, SCHOOL_TOKENS = 80, 16, 64


def configuration(
    *,
    base: str = TINY,
    passes: int = 2,
    tolerance: float = 0.5,
    checkpoint_minutes: float = 120.0,
    more: str = "",
) -> str:
    """Small rows and many short steps; checkpoints only where a test wants them."""
    return f"""
[collect]
settle_seconds = 0
debounce_seconds = 0

[engine]
base = "{base}"
threads = 1

[night]
minimum_tokens = 100
checkpoint_minutes = {checkpoint_minutes}
passes = {passes}
rank = 4
learning_rate = 1e-2
row_tokens = 64
rows_per_step = 2
rows_per_micro_batch = 2

[gate]
general_loss_tolerance = {tolerance}
{more}"""


def note(seed: int, words: int = 60) -> str:
    """Words that nobody uses, never the same twice."""
    rng = random.Random(seed)
    return (
        " ".join(rng.choice(SYLLABLES) + rng.choice(SYLLABLES) for _ in range(words)) + f" {seed}."
    )


def write_notes(place: Nightloom, count: int = NOTES, *, first: int = 0) -> None:
    for number in range(first, first + count):
        place.write(f"note-{number:04}.md", note(number))


def make_tiny_base(folder: Path, *, steps: int = SCHOOL_STEPS) -> Path:
    """The base in 4 bits; another number of steps makes another base. Read it, do not change it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny matrices only wait for more
    _school(full_precision_folder(folder / "fp", "llama"), steps)
    torch.set_num_threads(threads)
    quantise_folder(
        folder / "fp", folder / "nf4", name="tiny-llama", licence="MIT", description="For tests."
    )
    return folder / "nf4"


def _school(folder: Path, steps: int) -> None:
    """A second of training, so that the base says words and no broken bytes."""
    model = LlamaForCausalLM.from_pretrained(folder).float()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rng = random.Random(5)
    pages = [" ".join(rng.choice(KNOWN_WORDS) for _ in range(SCHOOL_TOKENS)) for _ in range(64)]
    ids = torch.tensor([token for page in tokenizer(pages).input_ids for token in page])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        starts = [rng.randrange(len(ids) - SCHOOL_TOKENS) for _ in range(SCHOOL_ROWS)]
        rows = torch.stack([ids[start : start + SCHOOL_TOKENS] for start in starts])
        model(input_ids=rows, labels=rows).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.bfloat16().save_pretrained(folder)


@contextmanager
def home_with_notes(base: Path) -> Iterator[Nightloom]:
    """A home whose notes are collected, before its first night; the service is stopped."""
    with new_home() as place:
        place.add_base(base)
        place.configure(configuration())
        place.make_vault()
        write_notes(place)
        place.start()
        place.add_source()
        assert place.terminate() == 0
        yield place


def learn(place: Nightloom) -> None:
    """One night that publishes an adapter; the service is stopped before and after."""
    place.start()
    entry = entry_of(place.admin.run_night())
    assert entry["state"] == "done", entry["sentence"]
    assert place.terminate() == 0
