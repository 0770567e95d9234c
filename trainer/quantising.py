"""Any full-precision Llama, Mistral or Qwen folder in, a 4-bit base folder out.

Tensors are read from mapped shards, quantised and written one after the other, so that memory
holds one of them at a time, however large the base is. The result appears under its name only
when it is complete. What the format is stands in `trainer/README.md`.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from trainer.architecture import block_linears, empty_model, stored_parameters
from trainer.base_format import (
    CONFIG_FILE,
    FORMAT,
    TEMPLATE_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    BaseFacts,
    Config,
    known_config,
    read_json,
    read_small,
    write_facts,
)
from trainer.base_identity import base_identity, tensors_digest
from trainer.base_tokenizer import load_tokenizer, token_settings
from trainer.errors import (
    BaseDamaged,
    BaseExists,
    BaseMissing,
    DiskFull,
    PickleWeights,
    UnsupportedArchitecture,
)
from trainer.nf4_linear import LinearShape, MalformedLinear, quantise_linear
from trainer.tensor_file import TensorFileWriter, read_layout

INDEX_FILE = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
FULL_PRECISION = ("F32", "F16", "BF16")
NOT_WEIGHTS = ".rotary_emb.inv_freq"  # old files hold it, the config says it better
SMALL_FILES_BYTES = 1024 * 1024  # room for what is written beside the weights

Progress = Callable[[int, int], None]  # tensors done, tensors in all


def quantise_folder(
    source: Path,
    out: Path,
    *,
    name: str,
    licence: str,
    description: str,
    origin: str = "",
    progress: Progress = lambda done, total: None,
) -> BaseFacts:
    """Write the 4-bit base of a full-precision folder.

    Args:
        source: `config.json`, `tokenizer.json` and safetensors, in one file or in shards.
        out: the base folder; it must not exist.

    Raises:
        BaseExists, BaseMissing, BaseDamaged, UnsupportedArchitecture, UnsupportedTokenizer,
        BaseWantsCode, PickleWeights, DiskFull
    """
    if out.exists():
        raise BaseExists(out.name)
    config = _with_all_end_marks(source, known_config(read_json(source / CONFIG_FILE)))
    model = empty_model(config)
    linears = block_linears(model)
    shards = source_shards(source)
    shapes = stored_parameters(model)
    _check_source(shards, shapes, config)
    plan = stored_plan(shapes, linears)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write_small_files(source, partial, config)
        load_tokenizer(partial, config)
        with TensorFileWriter(partial / WEIGHTS_FILE, plan) as writer:
            _check_disk(partial, writer.size)
            _write_weights(shards, shapes, linears, writer, progress)
        facts = _facts(
            partial, config, name=name, licence=licence, description=description, origin=origin,
            parameters=sum(int(torch.Size(shape).numel()) for shape in shapes.values()),
        )  # fmt: skip
        write_facts(partial, facts)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return facts


def source_shards(source: Path) -> dict[str, Path]:
    """The file of each tensor.

    Raises:
        BaseMissing: a shard is missing, or there are no weights.
        PickleWeights: there are only weights that could run code.
    """
    if (source / INDEX_FILE).is_file():
        index = read_json(source / INDEX_FILE).get("weight_map")
        if not isinstance(index, dict):
            raise BaseDamaged(INDEX_FILE, "it has no weight_map")
        files = sorted({str(file) for file in index.values()})
    else:
        files = [WEIGHTS_FILE]
    for file in files:
        if file != Path(file).name or not file.endswith(".safetensors"):
            raise BaseDamaged(INDEX_FILE, "it names files of another kind")
        if not (source / file).is_file():
            pickles = sorted(one.name for kind in PICKLES for one in source.glob(kind))
            if pickles:
                raise PickleWeights(pickles[0])
            raise BaseMissing(file)
    return {
        tensor: source / file for file in files for tensor in read_layout(source / file).tensors
    }


def stored_plan(
    shapes: Mapping[str, tuple[int, ...]], linears: Mapping[str, LinearShape]
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape of every tensor of the 4-bit file: NF4 in the blocks, bf16 elsewhere."""
    plan: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        linear = linears.get(name.removesuffix(".weight"))
        if linear is None or not name.endswith(".weight"):
            plan[name] = ("BF16", shape)
        else:
            prefix = name.removesuffix("weight")
            plan |= {prefix + part: kind for part, kind in linear.stored.items()}
    return plan


def _with_all_end_marks(source: Path, config: Config) -> Config:
    """Instruct models often name the mark that ends a turn in the generation config only."""
    if not (source / "generation_config.json").is_file():
        return config
    more = read_json(source / "generation_config.json").get("eos_token_id")
    marks: list[int] = []
    for value in (config.get("eos_token_id"), more):
        for mark in value if isinstance(value, list) else [value]:
            if type(mark) is int and mark >= 0 and mark not in marks:
                marks.append(mark)
    return config | {"eos_token_id": marks[0] if len(marks) == 1 else marks or None}


def _check_source(
    shards: Mapping[str, Path], shapes: Mapping[str, tuple[int, ...]], config: Config
) -> None:
    """Every tensor that the architecture has, in its shape, and none that it has not."""
    layouts = {path: read_layout(path) for path in set(shards.values())}
    for name, shape in shapes.items():
        if name not in shards:
            raise BaseMissing(f"tensor {name}")
        tensor = layouts[shards[name]].tensors[name]
        if tensor.shape != shape or tensor.dtype not in FULL_PRECISION:
            raise BaseDamaged(shards[name].name, f"{name} is not what {CONFIG_FILE} says")
    tied = {"lm_head.weight"} if config.get("tie_word_embeddings") else set()
    unknown = {one for one in set(shards) - set(shapes) - tied if not one.endswith(NOT_WEIGHTS)}
    if unknown:
        kind = f"{config['model_type']} with {len(unknown)} tensors more than it should have"
        raise UnsupportedArchitecture(kind, "its plain form")


def _check_disk(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + SMALL_FILES_BYTES > free:
        raise DiskFull(size + SMALL_FILES_BYTES, free)


def _write_small_files(source: Path, out: Path, config: Config) -> None:
    """Config, tokenizer and template, reduced to what is used; readable by transformers too."""
    settings = token_settings(source)
    template = settings.pop("chat_template", None)
    written = config | {
        "architectures": [type(empty_model(config)).__name__],
        "dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "bitsandbytes",
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": "bfloat16",
            "bnb_4bit_quant_storage": "uint8",
            "llm_int8_skip_modules": ["lm_head"],
        },
    }
    _write_json(out / CONFIG_FILE, written)
    _write_json(out / TOKENIZER_CONFIG_FILE, settings)
    (out / TOKENIZER_FILE).write_bytes(read_small(source / TOKENIZER_FILE))
    if template is not None:
        (out / TEMPLATE_FILE).write_text(template, encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _write_weights(
    shards: Mapping[str, Path],
    shapes: Mapping[str, tuple[int, ...]],
    linears: Mapping[str, LinearShape],
    writer: TensorFileWriter,
    progress: Progress,
) -> None:
    done = 0
    for path in sorted(set(shards.values())):
        try:
            with safe_open(path, framework="pt") as shard:
                for name in sorted(name for name in shapes if shards[name] == path):
                    _write_tensor(name, shard.get_tensor(name), linears, writer)
                    done += 1
                    progress(done, len(shapes))
        except SafetensorError as error:
            raise BaseDamaged(path.name, "it is cut off or malformed") from error
        except MalformedLinear as error:
            raise BaseDamaged(path.name, "a weight is not a finite number") from error


def _write_tensor(
    name: str, tensor: torch.Tensor, linears: Mapping[str, LinearShape], writer: TensorFileWriter
) -> None:
    module = name.removesuffix(".weight")
    if name.endswith(".weight") and module in linears:
        for part, stored in quantise_linear(tensor).items():
            writer.write(f"{module}.{part}", _bytes_of(stored))
        return
    if not torch.isfinite(tensor).all():
        raise MalformedLinear
    writer.write(name, _bytes_of(tensor.to(torch.bfloat16)))


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.contiguous().view(torch.uint8).flatten().numpy().data


def _facts(
    folder: Path,
    config: Config,
    *,
    name: str,
    licence: str,
    description: str,
    origin: str,
    parameters: int,
) -> BaseFacts:
    digest = tensors_digest([folder / WEIGHTS_FILE])
    layout = read_layout(folder / WEIGHTS_FILE)
    small = (CONFIG_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, TEMPLATE_FILE)
    return BaseFacts(
        format=FORMAT,
        name=name,
        licence=licence,
        description=description,
        origin=origin,
        identity=base_identity(known_config(read_json(folder / CONFIG_FILE)), digest),
        tensors_sha256=digest,
        weights_bytes=layout.size,
        header_sha256=layout.header_sha256,
        architecture=config["model_type"],
        parameters=parameters,
        context_tokens=config["max_position_embeddings"],
        files={
            file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
            for file in small
            if (folder / file).is_file()
        },
    )
