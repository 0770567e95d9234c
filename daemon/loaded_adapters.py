"""Which adapters an engine holds, who is answered by them, and which of them can go.

Versions lie side by side: a request keeps the one that it began with. What nobody is answered by
stays for the next request, until others were asked for since and there are too many of them. Knows
nothing of engines; values in, decisions out.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterBounds:
    """What an engine may hold of adapters that answer nobody at the moment.

    An r 16 adapter of a 7B has 160 MB as bytes, and takes as much.
    """

    count: int = 4
    bytes: int = 1_000_000_000


class LoadedAdapters:
    """Of one engine process, by digest."""

    def __init__(self, bounds: AdapterBounds | None = None) -> None:
        self._bounds = bounds or AdapterBounds()
        self._sizes: dict[str, int] = {}  # what was asked for last is last
        self._users: Counter[str] = Counter()
        self._unwanted: set[str] = set()

    def __contains__(self, digest: str) -> bool:
        return digest in self._sizes

    def came(self, digest: str, size: int) -> None:
        """It is loaded, with so many bytes."""
        self._sizes[digest] = size
        self._unwanted.discard(digest)

    def gone(self, digest: str) -> None:
        self._sizes.pop(digest, None)
        self._unwanted.discard(digest)

    def let_go(self, digest: str) -> None:
        """Nobody will ask for it again; it goes when its last user has its answer."""
        if digest in self._sizes:
            self._unwanted.add(digest)

    @contextlib.contextmanager
    def used(self, digests: Collection[str]) -> Iterator[None]:
        """Inside, these are not to go; the one asked for last is the last to go afterwards."""
        self._users.update(digests)
        self._touch(digests)
        try:
            yield
        finally:
            self._users.subtract(digests)
            self._users += Counter()  # without those that nobody uses
            self._touch(digests)

    def surplus(self) -> list[str]:
        """Those that shall go now, the one that was asked for longest ago first."""
        idle = [digest for digest in self._sizes if digest not in self._users]
        going = [digest for digest in idle if digest in self._unwanted]
        staying = [digest for digest in idle if digest not in self._unwanted]
        kept_bytes = sum(self._sizes[digest] for digest in staying)
        while staying and (len(staying) > self._bounds.count or kept_bytes > self._bounds.bytes):
            if len(staying) == 1:
                break  # the last one that was asked for may be as large as it is
            kept_bytes -= self._sizes[staying[0]]
            going.append(staying.pop(0))
        return going

    def _touch(self, digests: Collection[str]) -> None:
        for digest in digests:
            if digest in self._sizes:
                self._sizes[digest] = self._sizes.pop(digest)
