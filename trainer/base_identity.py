"""A base's identity: one hash over what the model computes, whatever the file looks like.

Taken are names, dtypes, shapes and contents of all tensors in the order of their names, and the
fields of the config that change the result. Not taken are the order and division of files, the
padding of headers, and the tokenizer. Kernels may keep weights in another layout in memory; that
has a version of its own and no part in this. Knows no torch.
"""

import hashlib
import json
import mmap
from collections.abc import Callable, Sequence
from pathlib import Path

from trainer.base_format import MEANING, WEIGHTS_FILE, Config, check_folder
from trainer.errors import BaseDamaged
from trainer.tensor_file import StoredTensor, read_layout

QUANT_STATE = ".quant_state."  # JSON in a tensor: bitsandbytes writes it with any spacing
CHUNK_BYTES = 16 * 1024 * 1024


def base_identity(config: Config, tensors_sha256: str) -> str:
    """Hex identity from the config's meaning and the digest of the tensors."""
    meaning = {name: config[name] for name in MEANING if name in config}
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"nightloom base 1\n{text}\n{tensors_sha256}".encode()).hexdigest()


def tensors_digest(
    files: Sequence[Path], progress: Callable[[int], None] = lambda done_bytes: None
) -> str:
    """Hex digest over all tensors of one or more files; reads every byte, in bounded memory.

    Raises:
        BaseDamaged: a file is malformed or a name occurs twice.
    """
    where: dict[str, tuple[Path, StoredTensor]] = {}
    for path in files:
        for name, tensor in read_layout(path).tensors.items():
            if name in where:
                raise BaseDamaged(path.name, "a tensor occurs twice")
            where[name] = (path, tensor)
    total, done = hashlib.sha256(), 0
    for name in sorted(where):
        path, tensor = where[name]
        total.update(_tensor_line(path, name, tensor).encode())
        done += tensor.size
        progress(done)
    return total.hexdigest()


def _tensor_line(path: Path, name: str, tensor: StoredTensor) -> str:
    if QUANT_STATE in name:
        return json.dumps([name, _canonical_json(path, tensor)]) + "\n"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if tensor.size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                end = tensor.start + tensor.size
                for start in range(tensor.start, end, CHUNK_BYTES):
                    digest.update(mapped[start : min(start + CHUNK_BYTES, end)])
    return json.dumps([name, tensor.dtype, list(tensor.shape), digest.hexdigest()]) + "\n"


def _canonical_json(path: Path, tensor: StoredTensor) -> str:
    with path.open("rb") as file:
        file.seek(tensor.start)
        raw = file.read(tensor.size)
    try:
        return json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise BaseDamaged(path.name, "a quantisation state is malformed") from error


def verify(folder: Path, progress: Callable[[int], None] = lambda done_bytes: None) -> None:
    """The full verification: every byte of the base is the one that was recorded.

    Raises:
        BaseDamaged: naming the file that is not.
    """
    base = check_folder(folder)
    digest = tensors_digest([folder / WEIGHTS_FILE], progress)
    if digest != base.facts.tensors_sha256:
        raise BaseDamaged(WEIGHTS_FILE, "its contents are not the recorded ones")
