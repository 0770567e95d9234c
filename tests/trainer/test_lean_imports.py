"""What an engine does not load, in a process of its own."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from dataclasses import replace
import daemon.engine_model, torch
from tests.trainer.nights import SETTINGS, a_run, losses, rows
from trainer.base_model import load_base
from trainer.builtin_base import BUILTIN_BASE
settings = replace(SETTINGS, recompute_layers=2)
with a_run(load_base(BUILTIN_BASE), rows(1), settings=settings) as (run, _):
    losses(run)
    run.restore(run.state())
loaded = [name for name in sys.argv[1:] if name in sys.modules]
print(loaded, torch.distributed.is_available(), torch.compile.__module__)
"""
NOT_WANTED = ("torch._dynamo", "sympy", "torch.distributed.tensor", "torch.distributed.fsdp")


def test_an_engine_loads_no_compiler_not_for_training_either_and_torch_stays_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *NOT_WANTED],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["[]", "True", "torch"]
