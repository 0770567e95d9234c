"""A 4-bit base in the making: shard after shard, and taken up again after an interruption.

Tensors are read from a mapped shard, quantised and written one after the other, so that memory
holds one of them at a time. A shard is needed only while it is taken. What the format is stands
in `trainer/README.md`.
"""

import contextlib
import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
from trainer.errors import BaseDamaged, BaseError, BaseMissing, DiskFull, UnsupportedArchitecture
from trainer.nf4_linear import LinearShape, MalformedLinear, quantise_linear
from trainer.source_files import licence_file, shards, source_config
from trainer.tensor_file import TensorFileWriter, read_layout

LICENCE_FILE = "LICENSE"
TAKEN_FILE = "taken.json"  # names of the shards that are in the weights' file already
FULL_PRECISION = ("F32", "F16", "BF16")
NOT_WEIGHTS = ".rotary_emb.inv_freq"  # old files hold it, the config says it better
CHECKED_AT_ONCE = 1 << 24  # values; the check needs some bytes for each
SMALL_FILES_BYTES = 1024 * 1024  # room for what is written beside the weights

Progress = Callable[[int, int], None]  # done, in all


def unwatched(done: int, total: int) -> None:
    """The progress that nobody looks at."""


class BaseInMaking:
    """A 4-bit base that grows shard by shard, and can be taken up again after an interruption.

    Args:
        source: config and tokenizer, and the index if there are several shards; the shards
            themselves may come later, one by one.
        folder: where the base grows. What an earlier making of this source left there is kept.

    Attributes:
        shards: names of all files with weights, in the order in which they are best taken.
        plain_template: the tokenizer has no chat template, so a plain one is used.

    Raises:
        BaseMissing, BaseDamaged, UnsupportedArchitecture, UnsupportedTokenizer, BaseWantsCode,
        AlreadyQuantised
    """

    def __init__(self, source: Path, folder: Path) -> None:
        self._config = source_config(source)
        model = empty_model(self._config)
        self._linears = block_linears(model)
        self._shapes = stored_parameters(model)
        files = shards(source, self._shapes)
        self._check_names({name for names in files.values() for name in names})
        self._tensors = {
            file: [name for name in names if name in self._shapes] for file, names in files.items()
        }
        self.shards = tuple(self._tensors)
        self._plan = stored_plan(self._shapes, self._linears)
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._write_small_files(source, type(model).__name__)
        self.plain_template = load_tokenizer(folder, self._config).plain_template
        self._taken = self._taken_before()

    @property
    def size_bytes(self) -> int:
        """What the file with the weights will have."""
        return self._writer(self._plan).size

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names of the shards that were not taken yet."""
        return tuple(shard for shard in self.shards if shard not in self._taken)

    def check_disk(self) -> None:
        """Raises DiskFull: there is no room for the whole file."""
        free = shutil.disk_usage(self._folder).free
        if self.size_bytes + SMALL_FILES_BYTES > free:
            raise DiskFull(self.size_bytes + SMALL_FILES_BYTES, free)

    def check(self, shard: Path) -> None:
        """The shard has its tensors in their shapes, and none that the architecture has not.

        Raises:
            BaseMissing, BaseDamaged, UnsupportedArchitecture
        """
        found = read_layout(shard).tensors
        for name in self._tensors[shard.name]:
            if name not in found:
                raise BaseMissing(f"tensor {name}")
            if found[name].shape != self._shapes[name] or found[name].dtype not in FULL_PRECISION:
                raise BaseDamaged(shard.name, f"{name} is not what {CONFIG_FILE} says")
        self._check_names(set(found) | set(self._shapes))

    def take(self, shard: Path, progress: Progress = unwatched) -> None:
        """Quantise all that a shard holds; it is needed no more when this returns.

        Raises:
            BaseMissing, BaseDamaged, UnsupportedArchitecture, DiskFull
        """
        self.check(shard)
        names = self._tensors[shard.name]
        now = stored_plan({name: self._shapes[name] for name in names}, self._linears)
        done = sum(len(self._tensors[taken]) for taken in self._taken)
        try:
            with self._writer(now) as writer, safe_open(shard, framework="pt") as weights:
                for name in names:
                    _write_tensor(name, weights.get_tensor(name), self._linears, writer)
                    done += 1
                    progress(done, len(self._shapes))
        except SafetensorError as error:
            raise BaseDamaged(shard.name, "it is cut off or malformed") from error
        except MalformedLinear as error:
            raise BaseDamaged(shard.name, "a weight is not a finite number") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFull(self.size_bytes, shutil.disk_usage(self._folder).free) from error
        self._taken.add(shard.name)
        whole = self._folder / (TAKEN_FILE + ".tmp")
        _write_json(whole, {"taken": sorted(self._taken)})
        whole.replace(self._folder / TAKEN_FILE)

    def finish(
        self,
        *,
        name: str,
        licence: str,
        description: str,
        origin: str = "",
        progress: Progress = unwatched,
    ) -> BaseFacts:
        """Write down what the base is, when all shards were taken.

        Args:
            progress: told of bytes that were read again for the digest.
        """
        if self.waiting:
            raise ValueError(f"{len(self.waiting)} shards were not taken")
        layout = read_layout(self._folder / WEIGHTS_FILE)
        total = sum(tensor.size for tensor in layout.tensors.values())
        digest = tensors_digest([self._folder / WEIGHTS_FILE], lambda done: progress(done, total))
        small = (CONFIG_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, TEMPLATE_FILE, LICENCE_FILE)
        facts = BaseFacts(
            format=FORMAT,
            name=name,
            licence=licence,
            description=description,
            origin=origin,
            identity=base_identity(known_config(read_json(self._folder / CONFIG_FILE)), digest),
            tensors_sha256=digest,
            weights_bytes=layout.size,
            header_sha256=layout.header_sha256,
            architecture=self._config["model_type"],
            parameters=sum(int(torch.Size(shape).numel()) for shape in self._shapes.values()),
            context_tokens=self._config["max_position_embeddings"],
            files={
                file: hashlib.sha256((self._folder / file).read_bytes()).hexdigest()
                for file in small
                if (self._folder / file).is_file()
            },
        )
        (self._folder / TAKEN_FILE).unlink()
        write_facts(self._folder, facts)
        return facts

    def _writer(self, now: Mapping[str, object]) -> TensorFileWriter:
        return TensorFileWriter(self._folder / WEIGHTS_FILE, self._plan, now=now.keys())

    def _taken_before(self) -> set[str]:
        """What the folder holds already; a file of other tensors than ours is thrown away."""
        with contextlib.suppress(BaseError):
            listed = read_json(self._folder / TAKEN_FILE).get("taken", [])
            if self._writer(self._plan).begun:
                return {shard for shard in self.shards if shard in listed}
        (self._folder / WEIGHTS_FILE).unlink(missing_ok=True)
        (self._folder / TAKEN_FILE).unlink(missing_ok=True)
        return set()

    def _check_names(self, names: set[str]) -> None:
        """Every tensor that the architecture has, and none that it has not."""
        missing = sorted(set(self._shapes) - names)
        if missing:
            raise BaseMissing(f"tensor {missing[0]}")
        tied = {"lm_head.weight"} if self._config.get("tie_word_embeddings") else set()
        more = {one for one in names - set(self._shapes) - tied if not one.endswith(NOT_WEIGHTS)}
        if more:
            kind = f"{self._config['model_type']} with {len(more)} tensors more than it should have"
            raise UnsupportedArchitecture(kind, "its plain form")

    def _write_small_files(self, source: Path, class_name: str) -> None:
        """Config, tokenizer, template and licence, reduced to what is used."""
        settings = token_settings(source)
        template = settings.pop("chat_template", None)
        _write_json(self._folder / CONFIG_FILE, _written_config(self._config, class_name))
        _write_json(self._folder / TOKENIZER_CONFIG_FILE, settings)
        (self._folder / TOKENIZER_FILE).write_bytes(read_small(source / TOKENIZER_FILE))
        if template is not None:
            (self._folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")
        if (licence := licence_file(source)) is not None:
            (self._folder / LICENCE_FILE).write_bytes(read_small(licence))


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


def _written_config(config: Config, class_name: str) -> dict[str, Any]:
    """The config that goes into the base; transformers reads it too."""
    return config | {
        "architectures": [class_name],
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


def _write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _write_tensor(
    name: str, tensor: torch.Tensor, linears: Mapping[str, LinearShape], writer: TensorFileWriter
) -> None:
    module = name.removesuffix(".weight")
    if name.endswith(".weight") and module in linears:
        for part, stored in quantise_linear(tensor).items():
            writer.write(f"{module}.{part}", _bytes_of(stored))
        return
    flat = tensor.flatten()  # an embedding has hundreds of millions of values
    if not all(torch.isfinite(part).all() for part in flat.split(CHECKED_AT_ONCE)):
        raise MalformedLinear
    writer.write(name, _bytes_of(tensor.to(torch.bfloat16)))


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    return tensor.contiguous().view(torch.uint8).flatten().numpy().data
