"""A random base with an adapter as a night and an answer have it."""

import torch

from trainer.adapter_format import LoraShape
from trainer.architecture import block_linears, empty_model
from trainer.base_model import best_compute_dtype
from trainer.bench.adapter_values import RANK, set_adapter
from trainer.bench.geometry import Geometry
from trainer.bench.random_base import fill, map_tensors, plan_of
from trainer.lora import LoraBank
from trainer.nf4_linear import nf4_linear
from trainer.stock_models import PreTrainedModel

ADAPTER = "measured"
CPU = torch.device("cpu")


def write_base(geometry: Geometry, file: int) -> None:
    """Random weights into a nameless file."""
    model = empty_model(geometry.config)
    tensors = map_tensors(file, plan_of(model), write=True)
    fill(tensors, block_linears(model), seed=0)


def ours(geometry: Geometry, file: int, *, learned: bool) -> tuple[PreTrainedModel, LoraBank]:
    """The base that lies in the file, with one adapter around its layers."""
    model = empty_model(geometry.config)
    tensors = map_tensors(file, plan_of(model), write=False)
    dtype = best_compute_dtype(CPU)
    for name, shape in block_linears(model).items():
        stored = {part: tensors.pop(f"{name}.{part}") for part in shape.stored}
        layer = nf4_linear(stored, shape, bias=None, compute_dtype=dtype, device=CPU)
        model.set_submodule(name, layer)
    put_parameters(model, tensors, dtype)
    bank = LoraBank(model, "random")
    bank.create(ADAPTER, LoraShape(rank=RANK), seed=0)
    set_adapter(bank.parameters(ADAPTER), learned=learned)
    return model, bank


def put_parameters(
    model: PreTrainedModel, tensors: dict[str, torch.Tensor], dtype: torch.dtype
) -> None:
    """Embeddings, norms and head into the model, which then is frozen, in eval mode and 4-bit."""
    for name, tensor in tensors.items():
        module, _, leaf = name.rpartition(".")
        parameter = torch.nn.Parameter(tensor.to(dtype), requires_grad=False)
        setattr(model.get_submodule(module), leaf, parameter)
    if model.config.tie_word_embeddings:
        model.get_output_embeddings().weight = model.get_input_embeddings().weight
    # peft asks this before it looks at the layers
    model.is_loaded_in_4bit = True  # type: ignore[assignment]
    model.requires_grad_(False)
    model.eval()
