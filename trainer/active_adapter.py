"""One served adapter, for passes that know of no rows: losses, and the words of a candidate.

So the gate judges what clients would get, from the same factors, without a second copy of them.
Where training has put layers of its own around the base's, theirs must be off.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from trainer.nf4_linear import Nf4Linear
from trainer.served_adapters import LoadedAdapter


@contextmanager
def active(adapter: LoadedAdapter | None) -> Iterator[None]:
    """Inside, everything that goes through the base's 4-bit layers goes past this one as well."""
    layers = {} if adapter is None else dict(adapter.layers)
    try:
        for layer, factors in layers.items():
            assert isinstance(layer, Nf4Linear), "only on the CPU"
            layer.adapter = factors
        yield
    finally:
        for layer in layers:
            layer.adapter = None  # type: ignore[assignment]
