"""The bare engine beside a service: `python -m trainer.bench.serving_side PARENT FOLDER`.

Loads the same base folder and the same kind of adapter as the engine and computes the way the
engine does, without links, queues or sockets. Also makes what a run needs: the random base, the
adapters, prompts of an exact length.
"""

import random
import re
import sys
from pathlib import Path
from typing import Any

from trainer.adapter_format import LoraShape
from trainer.base_model import load_base
from trainer.bench.adapter_values import RANK, set_adapter
from trainer.bench.bare_rows import BareRows
from trainer.bench.geometry import GEOMETRIES
from trainer.bench.machine import machine_facts
from trainer.bench.random_folder import write_random_folder
from trainer.bench.side_loop import Operations, end_with, own_stdout, serve
from trainer.lora import LoraBank

PLAIN_WORD = re.compile(rb" [a-z]{3,12}")
MADE = "made"  # the adapter's name while its bytes are made


class ServingSide:
    """One base folder; it has to be written or be there before it is loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: BareRows | None = None
        self._words: list[str] = []
        self.operations: Operations = {
            "machine": machine_facts, "write": self.write, "adapters": self.adapters,
            "load": self.load, "prompt": self.prompt, "prefill": self.prefill,
            "decode": self.decode,
        }  # fmt: skip

    def write(self, geometry: str, layers: int | None) -> None:
        """A random base into the folder."""
        write_random_folder(GEOMETRIES[geometry].with_layers(layers), self._folder)

    def adapters(self, into: str, count: int) -> dict[str, Any]:
        """Write `count` different adapters for the base; their paths, and what they belong to."""
        base = load_base(self._folder)
        paths = []
        for number in range(count):
            bank = LoraBank(base.model, base.identity)
            bank.create(MADE, LoraShape(rank=RANK), seed=number)
            set_adapter(bank.parameters(MADE), learned=True, seed=number)
            path = Path(into) / f"adapter-{number}"
            path.write_bytes(bank.save(MADE))
            paths.append(str(path))
            bank.drop(MADE)
        return {"base": base.identity, "paths": paths}

    def load(self, adapter: str) -> None:
        """The base with one of those adapters."""
        base = load_base(self._folder)
        self._loaded = BareRows(base, Path(adapter).read_bytes())
        tokenizer = base.tokenizer
        spelled = (tokenizer.token_bytes(token) for token in range(tokenizer.vocabulary))
        self._words = sorted(one.decode() for one in spelled if PLAIN_WORD.fullmatch(one))

    def prompt(self, tokens: int, seed: int) -> str:
        """Words that come to exactly so many tokens as a prompt; another seed, other words."""
        drawn = random.Random(seed)
        words: list[str] = []
        while (missing := tokens - len(self._encoded("".join(words)))) != 0:
            words = [*words, *drawn.choices(self._words, k=missing)] if missing > 0 else words[:-1]
        return "".join(words)

    def prefill(self, text: str) -> float:
        """Seconds until the first token of an answer is drawn."""
        return self._rows.first_token_seconds(self._encoded(text))

    def decode(self, text: str, steps: int) -> float:
        """Seconds per token behind a text."""
        return self._rows.step_seconds(self._encoded(text), steps)

    @property
    def _rows(self) -> BareRows:
        assert self._loaded is not None
        return self._loaded

    def _encoded(self, text: str) -> list[int]:
        return self._rows.base.tokenizer.encode_prompt(text)


def main() -> None:
    parent, folder = sys.argv[1:]
    end_with(int(parent))
    answers = own_stdout()
    serve(ServingSide(Path(folder)).operations, answers)


if __name__ == "__main__":
    main()
