"""What an engine does not load, in a process of its own."""

import subprocess
import sys

CODE = """
import sys
import daemon.engine_model, torch
from trainer.base_model import load_base
from trainer.builtin_base import BUILTIN_BASE
load_base(BUILTIN_BASE)
loaded = [name for name in sys.argv[1:] if name in sys.modules]
print(loaded, torch.distributed.is_available(), torch.compile.__module__)
"""
NOT_WANTED = ("torch._dynamo", "sympy", "torch.distributed.tensor", "torch.distributed.fsdp")


def test_an_engine_loads_no_compiler_and_torch_is_whole_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *NOT_WANTED], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["[]", "True", "torch"]
