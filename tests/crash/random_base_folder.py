"""A whole base folder with random weights, of any geometry: real NF4, double quantised, as loaded.

For what needs a base's size and not its words. The tokenizer is the built-in base's; the samples
that a night would draw from it for an hour are drawn evenly from the vocabulary instead, which is
about what such a base says.
"""

import hashlib
import json
import shutil
from dataclasses import replace
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
from trainer.base_identity import base_identity, tensors_digest
from trainer.base_samples import (
    SAMPLE_COUNT,
    SAMPLE_SEED,
    SAMPLE_TOKENS,
    SAMPLES_FILE,
    write_samples,
)
from trainer.base_tokenizer import load_tokenizer
from trainer.bench.geometry import Geometry
from trainer.bench.random_base import plan_of, random_linear
from trainer.builtin_base import BUILTIN_BASE
from trainer.tensor_file import TensorFileWriter, read_layout

FROM_BUILTIN = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, TEMPLATE_FILE)
MARKS = ("bos_token_id", "eos_token_id", "pad_token_id")


def make_random_base(
    folder: Path, geometry: Geometry, *, context_tokens: int, seed: int = 0
) -> BaseFacts:
    """Write the base; memory holds one tensor of it at a time.

    Args:
        folder: must not exist.
        context_tokens: what it says that it can read. Samples have at most as many, and judging
            reads dozens of them three times.
    """
    folder.mkdir(parents=True)
    for name in FROM_BUILTIN:
        shutil.copyfile(BUILTIN_BASE / name, folder / name)
    shape = replace(geometry, context_tokens=context_tokens).config
    config = {**shape, **{mark: read_json(BUILTIN_BASE / CONFIG_FILE)[mark] for mark in MARKS}}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    parameters = _write_weights(folder / WEIGHTS_FILE, config, seed)
    _write_samples(folder, config, min(SAMPLE_TOKENS, context_tokens))
    layout = read_layout(folder / WEIGHTS_FILE)
    digest = tensors_digest([folder / WEIGHTS_FILE])
    facts = BaseFacts(
        format=FORMAT,
        name=f"random-{geometry.name}",
        licence="none: random numbers",
        description="Random weights, which say nothing.",
        origin="tests/crash/random_base_folder.py",
        identity=base_identity(known_config(config), digest),
        tensors_sha256=digest,
        weights_bytes=layout.size,
        header_sha256=layout.header_sha256,
        architecture=config["model_type"],
        parameters=parameters,
        context_tokens=context_tokens,
        files={
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in (*FROM_BUILTIN, CONFIG_FILE, SAMPLES_FILE)
        },
    )
    write_facts(folder, facts)
    return facts


def _write_weights(file: Path, config: dict[str, object], seed: int) -> int:
    """All tensors, each drawn when its turn comes; how many parameters that were."""
    model = empty_model(known_config(config))
    linears, shapes = block_linears(model), stored_parameters(model)
    rng = np.random.Generator(np.random.SFC64(seed))
    generator = torch.Generator().manual_seed(seed)
    with TensorFileWriter(file, plan_of(model)) as writer:
        for name, extents in shapes.items():
            module = name.removesuffix(".weight")
            if module in linears:
                for part, tensor in random_linear(linears[module], rng).items():
                    writer.write(f"{module}.{part}", _bytes_of(tensor))
            elif name.endswith("norm.weight"):
                writer.write(name, _bytes_of(torch.ones(extents, dtype=torch.bfloat16)))
            else:
                values = torch.empty(extents, dtype=torch.bfloat16)
                values.normal_(std=extents[-1] ** -0.5, generator=generator)
                writer.write(name, _bytes_of(values))
    return sum(torch.Size(extents).numel() for extents in shapes.values())


def _write_samples(folder: Path, config: dict[str, object], tokens: int) -> None:
    tokenizer = load_tokenizer(folder, known_config(config))
    words = [token for token in range(tokenizer.vocabulary) if tokenizer.token_bytes(token)]
    drawn = np.random.default_rng(SAMPLE_SEED).choice(words, (SAMPLE_COUNT, tokens))
    write_samples(folder, drawn.astype(np.int32))


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.contiguous().view(torch.uint8).flatten().numpy().data
