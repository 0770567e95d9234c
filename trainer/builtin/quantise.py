"""Make the shipped 4-bit base from the fp32 folder that `trainer.builtin.train` wrote.

    python -m trainer.builtin.quantise --source DIR --held-out dorian-gray.txt white-fang.txt

The bits per character stated in `nightloom.json` are those of the 4-bit artefact itself, on
texts it has not seen.
"""

import argparse
import dataclasses
import hashlib
import shutil
import sys
from pathlib import Path

import torch

from trainer.base_format import write_facts
from trainer.base_model import BaseModel, load_base
from trainer.base_samples import (
    SAMPLE_COUNT,
    SAMPLE_SEED,
    SAMPLE_TOKENS,
    SAMPLES_FILE,
    write_samples,
)
from trainer.builtin_base import BUILTIN_BASE
from trainer.errors import BaseExists
from trainer.generation import sample_rows
from trainer.quantising import quantise_folder

NAME = "nightloom-16m"
LICENCE = "Apache-2.0"
DESCRIPTION = (
    "A base of 16 million parameters to try nightloom offline. It is not a capable assistant: "
    "it knows English sentences, the shape of a question and an answer, and little else."
)
ORIGIN = (
    "Trained from scratch with trainer/builtin/train.py on English novels and travel books out "
    "of copyright, public-domain speeches of US presidents, English conversations from OASST1 "
    "(Apache-2.0), and generated questions and answers about invented people."
)
ROW_TOKENS = 1024
LIMIT_BYTES = 20_000_000  # of package data


def bits_per_character(base: BaseModel, text: str, row_tokens: int = ROW_TOKENS) -> float:
    """Cross-entropy of `text` in bits, over its number of characters; rows do not overlap.

    Each row begins anew with the begin mark, as in `trainer.builtin.train`; the tokens after the
    last whole row are left out, and so are their characters.
    """
    ids = base.tokenizer.encode_text(text)
    usable = len(ids) // row_tokens * row_tokens
    rows = torch.tensor(ids[:usable]).view(-1, row_tokens)  # (rows, time)
    seen = b"".join(map(base.tokenizer.token_bytes, ids[:usable])).decode(errors="replace")
    begin = torch.full((len(rows), 1), base.tokenizer.begin_id or 0)
    nats = 0.0
    with torch.no_grad():
        for inputs, row in zip(
            torch.cat([begin, rows[:, :-1]], 1).split(8), rows.split(8), strict=True
        ):
            logits = base.model(input_ids=inputs, use_cache=False).logits.float()
            nats += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), row.flatten(), reduction="sum"
            ).item()
    return nats / float(torch.log(torch.tensor(2.0))) / len(seen)


def make(source: Path, out: Path, held_out: list[Path], *, replace: bool = False) -> None:
    """Quantise, measure, and write the base with what was measured.

    Raises:
        BaseError: the source cannot be used, or `out` exists and `replace` is not set.
    """
    trial = out.with_name(out.name + ".trial")
    shutil.rmtree(trial, ignore_errors=True)
    if out.exists() and not replace:
        raise BaseExists(out.name)
    try:
        facts = quantise_folder(
            source, trial, name=NAME, licence=LICENCE, description=DESCRIPTION, origin=ORIGIN
        )
        base = load_base(trial)
        bits = {
            path.stem: round(bits_per_character(base, path.read_text(encoding="utf-8")), 4)
            for path in held_out
        }
        write_samples(trial, sample_rows(base, SAMPLE_COUNT, SAMPLE_TOKENS, SAMPLE_SEED))
        digest = hashlib.sha256((trial / SAMPLES_FILE).read_bytes()).hexdigest()
        files = facts.files | {SAMPLES_FILE: digest}
        write_facts(trial, dataclasses.replace(facts, bits_per_character=bits, files=files))
        shutil.rmtree(out, ignore_errors=True)
        trial.rename(out)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {size:,} bytes; bits per character: {bits}")
    if size > LIMIT_BYTES:
        sys.exit(f"larger than the {LIMIT_BYTES:,} bytes that may be shipped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=BUILTIN_BASE)
    parser.add_argument("--replace", action="store_true", help="an earlier base at that place")
    args = parser.parse_args()
    make(args.source, args.out, args.held_out, replace=args.replace)


if __name__ == "__main__":
    main()
