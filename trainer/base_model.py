"""A 4-bit base folder in, a model that reads from the mapped file out.

Nothing is copied on the CPU: codes and constants stay in the file's pages, which the kernel may
drop and read again. The model is frozen; adapters are put around its layers elsewhere. Knows
nothing of adapters, training or requests.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from trainer.architecture import block_linears, empty_model, stored_parameters
from trainer.base_format import (
    CONFIG_FILE,
    FACTS_FILE,
    WEIGHTS_FILE,
    BaseFacts,
    CheckedBase,
    check_folder,
)
from trainer.base_identity import base_identity
from trainer.base_tokenizer import BaseTokenizer, load_tokenizer
from trainer.cpu_features import multiplies_bf16
from trainer.errors import BaseDamaged
from trainer.nf4_linear import MalformedLinear, nf4_linear
from trainer.stock_models import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A loaded base. The model is in eval mode and wants no gradients."""

    model: PreTrainedModel = field(repr=False)
    tokenizer: BaseTokenizer = field(repr=False)
    facts: BaseFacts
    device: torch.device
    compute_dtype: torch.dtype

    @property
    def identity(self) -> str:
        return self.facts.identity

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def description(self) -> str:
        return self.facts.description

    @property
    def context_tokens(self) -> int:
        return self.facts.context_tokens


def best_compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 where it is fast; fp32 on CPUs that multiply no bf16. Never fp16: it loses runs."""
    if device.type != "cpu" or multiplies_bf16():
        return torch.bfloat16
    return torch.float32


def load_base(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    compute_dtype: torch.dtype | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> BaseModel:
    """Load a base folder after the cheap verification (see `base_format.check_folder`).

    Args:
        compute_dtype: of activations, embeddings, norms and head; the best for the device when
            None. With bf16 nothing is copied, with fp32 embeddings and norms are.
        progress: told which share of it is done, when the files are checked, the tokenizer is
            there, the modules are made and the weights are in them.

    Raises:
        BaseError: a file is missing, damaged, too new or of a kind that is not supported.
    """
    checked = check_folder(folder)
    facts = checked.facts
    if facts.identity != base_identity(checked.config, facts.tensors_sha256):
        raise BaseDamaged(CONFIG_FILE, "it is not the one the base was made with")
    if facts.context_tokens > checked.config["max_position_embeddings"]:
        raise BaseDamaged(FACTS_FILE, "its context is longer than the model's")
    place = torch.device(device)
    dtype = compute_dtype or best_compute_dtype(place)
    progress(0.1)
    tokenizer = load_tokenizer(folder, checked.config)
    progress(0.3)
    model = empty_model(checked.config)
    progress(0.5)
    _fill(model, checked, device=place, dtype=dtype)
    progress(1.0)
    # peft asks this before it looks at the layers
    model.is_loaded_in_4bit = True  # type: ignore[assignment]
    model.requires_grad_(False)
    model.eval()
    return BaseModel(
        model=model, tokenizer=tokenizer, facts=facts, device=place, compute_dtype=dtype
    )


def _fill(
    model: PreTrainedModel, checked: CheckedBase, *, device: torch.device, dtype: torch.dtype
) -> None:
    """Put 4-bit layers and mapped tensors into the empty model."""
    linears = block_linears(model)
    wanted = stored_parameters(model)
    path = checked.folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="pt") as file:
            for name, shape in linears.items():
                stored = {part: file.get_tensor(f"{name}.{part}") for part in shape.stored}
                bias = f"{name}.bias" if f"{name}.bias" in wanted else None
                layer = nf4_linear(
                    stored, shape, compute_dtype=dtype, device=device,
                    bias=_vector(file.get_tensor(bias), wanted[bias]) if bias else None,
                )  # fmt: skip
                model.set_submodule(name, layer)
            for name, extents in wanted.items():
                if name.rpartition(".")[0] not in linears:
                    tensor = _vector(file.get_tensor(name), extents).to(device, dtype)
                    module, _, leaf = name.rpartition(".")
                    parameter = torch.nn.Parameter(tensor, requires_grad=False)
                    setattr(model.get_submodule(module), leaf, parameter)
    except SafetensorError as error:
        raise BaseDamaged(WEIGHTS_FILE, "a tensor is missing") from error
    except MalformedLinear as error:
        raise BaseDamaged(WEIGHTS_FILE, "a tensor is malformed") from error
    if model.config.tie_word_embeddings:
        model.get_output_embeddings().weight = model.get_input_embeddings().weight
    model.get_decoder().rotary_emb.to(device)
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise BaseDamaged(WEIGHTS_FILE, "a tensor is missing")


def _vector(tensor: torch.Tensor, extents: tuple[int, ...]) -> torch.Tensor:
    if tuple(tensor.shape) != extents or tensor.dtype != torch.bfloat16:
        raise MalformedLinear
    return tensor
