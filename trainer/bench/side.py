"""The process of a side that runs in our own interpreter: `python -m trainer.bench.side`."""

import json
import sys

from trainer.bench.geometry import GEOMETRIES, Geometry
from trainer.bench.side_loop import Operations, end_with, own_stdout, serve


def operations(kind: str, geometry: Geometry, file: int) -> Operations:
    """What a side of this kind can be asked; imports only what this side needs."""
    if kind == "train_ours":
        from trainer.bench.train_ours import OursTraining

        return OursTraining(geometry, file).operations
    if kind == "train_stock":
        from trainer.bench.train_stock import StockTraining

        return StockTraining(geometry, file).operations
    if kind == "decode_ours":
        from trainer.bench.decode_ours import OursDecoding

        return OursDecoding(geometry, file).operations
    from trainer.bench.decode_stock import StockDecoding

    return StockDecoding(geometry, file).operations


def side_words(kind: str, geometry: Geometry, file: int) -> tuple[str, str]:
    """The arguments of such a process after its parent's number."""
    facts = {"geometry": geometry.name, "layers": geometry.layers, "file": file}
    return kind, json.dumps(facts)


def main() -> None:
    parent, kind, words = sys.argv[1:]
    end_with(int(parent))
    answers = own_stdout()
    facts = json.loads(words)
    geometry = GEOMETRIES[facts["geometry"]].with_layers(facts["layers"])
    serve(operations(kind, geometry, facts["file"]), answers)


if __name__ == "__main__":
    main()
