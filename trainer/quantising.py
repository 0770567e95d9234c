"""Any full-precision Llama, Mistral or Qwen folder in, a 4-bit base folder out.

The result appears under its name only when it is complete. What a hub's folder needs while it is
still being downloaded stands in `base_making.py`.
"""

import shutil
from pathlib import Path

from trainer.base_format import BaseFacts
from trainer.base_making import BaseInMaking, Progress, unwatched
from trainer.errors import BaseExists
from trainer.source_files import check_present


def quantise_folder(
    source: Path,
    out: Path,
    *,
    name: str,
    licence: str,
    description: str,
    origin: str = "",
    progress: Progress = unwatched,
) -> BaseFacts:
    """Write the 4-bit base of a full-precision folder.

    Args:
        source: `config.json`, `tokenizer.json` and safetensors, in one file or in shards.
        out: the base folder; it must not exist.

    Raises:
        BaseExists, BaseMissing, BaseDamaged, UnsupportedArchitecture, UnsupportedTokenizer,
        BaseWantsCode, PickleWeights, AlreadyQuantised, DiskFull
    """
    if out.exists():
        raise BaseExists(out.name)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        making = BaseInMaking(source, partial)
        check_present(source, making.shards)
        for shard in making.shards:
            making.check(source / shard)
        making.check_disk()
        for shard in making.shards:
            making.take(source / shard, progress)
        facts = making.finish(name=name, licence=licence, description=description, origin=origin)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return facts
