"""What a provider tells, waited for. And folders as the kernel has them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.conditions.bus import Bus
from daemon.conditions.reading import Provider, Reading


class Told:
    """Every reading that was told, in its order."""

    def __init__(self) -> None:
        self.all: list[Reading] = []
        self._came = asyncio.Event()

    def __call__(self, reading: Reading) -> None:
        self.all.append(reading)
        self._came.set()

    def last(self, name: str) -> Reading | None:
        return next((one for one in reversed(self.all) if one.name == name), None)

    async def until(self, name: str, value: str = "") -> Reading:
        """The reading with this value, or any, as soon as it is the last of its name."""
        while True:
            self._came.clear()
            last = self.last(name)
            if last is not None and value in ("", last.value):
                return last
            await self._came.wait()


@asynccontextmanager
async def telling(provider: Provider, *buses: Bus) -> AsyncIterator[Told]:
    told = Told()
    tasks = [
        *(asyncio.create_task(bus.run()) for bus in buses),
        asyncio.create_task(provider.run(told)),
    ]
    try:
        yield told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def files(root: Path, found: Mapping[str, str]) -> Path:
    """Write them below the root; what the kernel gives ends with a line break."""
    for name, text in found.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root
