"""A Wayland desktop that tells when its user goes and comes, asked by the real client library."""

import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.conditions import presence_wayland
from daemon.conditions.presence_wayland import WaylandIdle
from tests.daemon.conditions.seeing import MINUTE, NOW, Bell
from tests.wayland_desktop import wayland_desktop

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="pywayland is made for Linux on x86_64 only",
)


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nl-wl-") as short:  # a socket's path is short
        yield Path(short)


async def away(idle: WaylandIdle) -> bool | None:
    seen = await idle.look(NOW, ())
    return None if seen is None else seen.away


async def test_the_desktop_tells_when_its_user_goes_and_comes(runtime: Path) -> None:
    bell = Bell()
    idle = WaylandIdle(runtime, idle_seconds=15 * MINUTE)
    await idle.listen(bell.ring)
    assert await away(idle) is None
    async with wayland_desktop(runtime / "wayland-1") as desktop:
        assert await away(idle) is False
        await desktop.asked.wait()
        for gone in (True, False, True):
            desktop.tell(idle=gone)
            await bell.rung()
            assert await away(idle) is gone
        assert desktop.milliseconds == [15 * 60 * 1000]
        desktop.end()
        await bell.rung()
        assert await away(idle) is False  # asked anew
    while await away(idle) is not None:
        await bell.rung()


async def test_a_desktop_without_the_protocol_does_not_tell(runtime: Path) -> None:
    idle = WaylandIdle(runtime, idle_seconds=15 * MINUTE)
    await idle.listen(Bell().ring)
    async with wayland_desktop(runtime / "wayland-0", bare=True):
        assert await away(idle) is None
        assert await away(idle) is None
        async with wayland_desktop(runtime / "wayland-1"):
            assert await away(idle) is False  # another one does
            idle.close()


async def test_a_desktop_without_a_seat_does_not_know(runtime: Path) -> None:
    bell = Bell()
    idle = WaylandIdle(runtime, idle_seconds=15 * MINUTE)
    await idle.listen(bell.ring)
    async with wayland_desktop(runtime / "wayland-1") as desktop:
        assert await away(idle) is False
        desktop.take_the_seat_away()
        await bell.rung()
        seen = await idle.look(NOW, ())
        assert seen is not None
        assert seen.away is None
        idle.close()


async def test_a_desktop_that_was_too_busy_to_answer_is_asked_again(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = WaylandIdle(runtime, idle_seconds=15 * MINUTE)
    async with wayland_desktop(runtime / "wayland-1") as desktop:
        desktop.silent = True
        with monkeypatch.context() as short:
            short.setattr(presence_wayland, "ANSWER_SECONDS", 0.01)
            assert await away(idle) is None
        desktop.silent = False
        assert await away(idle) is False
        idle.close()


async def test_a_socket_without_a_desktop_does_not_tell(runtime: Path) -> None:
    async with wayland_desktop(runtime / "wayland-1"):
        (runtime / "wayland-1").rename(runtime / "wayland-2")
    idle = WaylandIdle(runtime, idle_seconds=15 * MINUTE)
    assert await away(idle) is None
    assert await away(WaylandIdle(None, idle_seconds=15 * MINUTE)) is None
