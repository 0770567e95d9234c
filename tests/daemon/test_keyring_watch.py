"""What wakes a locked service: the bus comes, the keyring comes, the keyring is unlocked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.keyring_watch import watch_keyrings
from daemon.session_bus import name_session_bus, socket_of
from tests.secret_service import SecretService, missing_programs, secret_service


@asynccontextmanager
async def watching(socket: Path | None) -> AsyncIterator[asyncio.Event]:
    changed = asyncio.Event()
    task = asyncio.create_task(watch_keyrings(changed.set, socket))
    try:
        yield changed
    finally:
        task.cancel()
        await asyncio.wait({task})


async def heard(changed: asyncio.Event) -> None:
    await changed.wait()
    changed.clear()


async def test_a_keyring_that_is_unlocked_is_heard(keyring_session: SecretService) -> None:
    await asyncio.to_thread(keyring_session.lock)
    async with watching(socket_of(keyring_session.environ)) as changed:
        await heard(changed)  # it listens
        await asyncio.to_thread(keyring_session.unlock)
        await heard(changed)


async def test_a_bus_that_comes_later_is_heard_even_before_its_folder_is_there(
    tmp_path: Path,
) -> None:
    if reason := missing_programs():
        pytest.skip(reason)
    later = tmp_path / "run" / "user"
    async with watching(later / "bus") as changed:
        for _ in range(50):
            await asyncio.sleep(0)
        assert not changed.is_set()
        with secret_service(tmp_path) as session:
            later.mkdir(parents=True)
            real = socket_of(session.environ)
            assert real is not None
            (later / "bus").symlink_to(real)
            await heard(changed)


async def test_without_an_address_nothing_is_heard() -> None:
    async with watching(None) as changed:
        await asyncio.sleep(0)
        assert not changed.is_set()


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("unix:path=/run/user/1000/bus", "/run/user/1000/bus"),
        ("unix:path=/tmp/a%20b,guid=12", "/tmp/a b"),
        ("tcp:host=localhost;unix:path=/x/bus", "/x/bus"),
        ("unix:abstract=/tmp/dbus-1", None),
        ("autolaunch:", None),
        ("", None),
    ],
)
def test_the_socket_is_read_from_the_address(address: str, path: str | None) -> None:
    found = socket_of({"DBUS_SESSION_BUS_ADDRESS": address})
    assert found == (None if path is None else Path(path))


def test_the_bus_has_its_usual_address_where_none_is_named() -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}
    name_session_bus(environ)
    assert socket_of(environ) == Path("/run/user/7/bus")

    named = {"XDG_RUNTIME_DIR": "/run/user/7", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}
    name_session_bus(named)
    assert socket_of(named) == Path("/x")

    nothing: dict[str, str] = {}
    name_session_bus(nothing)
    assert nothing == {}
