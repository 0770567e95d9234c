"""A random NF4 base as a folder, as the service loads one: for measuring, it says nothing.

The tokenizer is the built-in base's. Tokens that are no whole characters, and marks, have a head of
zeros: greedy drawing never takes them, so that every token shows at once and no answer ends before
its length. The recorded digest of the tensors is made up; nothing that loads a base reads them all.
"""

import hashlib
import json
import shutil
from math import prod
from pathlib import Path

import numpy as np
import torch

from trainer.architecture import block_linears, empty_model, stored_parameters
from trainer.base_format import (
    CONFIG_FILE,
    FORMAT,
    TEMPLATE_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    BaseFacts,
    known_config,
    read_json,
    write_facts,
)
from trainer.base_identity import base_identity
from trainer.base_tokenizer import BaseTokenizer, load_tokenizer
from trainer.bench.geometry import Geometry
from trainer.bench.random_base import plan_of, random_linear
from trainer.builtin_base import BUILTIN_BASE
from trainer.tensor_file import TensorFileWriter, read_layout

BORROWED = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, TEMPLATE_FILE)
MADE_UP_DIGEST = "0" * 64
HEAD = "lm_head.weight"


def write_random_folder(geometry: Geometry, folder: Path, *, seed: int = 0) -> None:
    """Make `folder` and a base of this geometry in it."""
    folder.mkdir()
    for name in BORROWED:
        shutil.copyfile(BUILTIN_BASE / name, folder / name)
    config = json.dumps(geometry.config, indent=2, sort_keys=True)
    (folder / CONFIG_FILE).write_text(config, encoding="utf-8")
    tokenizer = load_tokenizer(folder, geometry.config)
    _write_weights(geometry, folder / WEIGHTS_FILE, silent_tokens(tokenizer), seed)
    _write_facts(geometry, folder)


def silent_tokens(tokenizer: BaseTokenizer) -> list[int]:
    """Those that show nothing by themselves, and those that end an answer."""
    return [
        token
        for token in range(tokenizer.vocabulary)
        if token in tokenizer.stop_ids or not _is_text(tokenizer.token_bytes(token))
    ]


def _is_text(spelled: bytes) -> bool:
    try:
        return bool(spelled.decode())
    except UnicodeDecodeError:
        return False


def _write_weights(geometry: Geometry, path: Path, silent: list[int], seed: int) -> None:
    """Tensor after tensor, so that memory holds one of them."""
    model = empty_model(geometry.config)
    linears = block_linears(model)
    plan = plan_of(model)
    rng = np.random.Generator(np.random.SFC64(seed))
    generator = torch.Generator().manual_seed(seed)
    with TensorFileWriter(path, plan) as writer:
        for name, shape in linears.items():
            for part, tensor in random_linear(shape, rng).items():
                writer.write(f"{name}.{part}", _bytes_of(tensor))
        for name, extents in stored_parameters(model).items():
            if name.rpartition(".")[0] in linears:
                continue
            tensor = torch.ones(extents, dtype=torch.bfloat16)
            if not name.endswith("norm.weight"):
                tensor.normal_(std=extents[-1] ** -0.5, generator=generator)
            if name == HEAD:
                tensor[silent] = 0.0
            writer.write(name, _bytes_of(tensor))


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.contiguous().view(torch.uint8).flatten().numpy().data


def _write_facts(geometry: Geometry, folder: Path) -> None:
    config = known_config(read_json(folder / CONFIG_FILE))
    layout = read_layout(folder / WEIGHTS_FILE)
    shapes = stored_parameters(empty_model(geometry.config))
    facts = BaseFacts(
        format=FORMAT,
        name=f"random-{geometry.name}",
        licence="none",
        description="Random weights to measure with.",
        origin="",
        identity=base_identity(config, MADE_UP_DIGEST),
        tensors_sha256=MADE_UP_DIGEST,
        weights_bytes=layout.size,
        header_sha256=layout.header_sha256,
        architecture=str(config["model_type"]),
        parameters=sum(prod(shape) for shape in shapes.values()),
        context_tokens=geometry.context_tokens,
        files={
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in (CONFIG_FILE, *BORROWED)
        },
    )
    write_facts(folder, facts)
