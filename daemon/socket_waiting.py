"""Waits until a socket is there, told by the system. Knows nothing of who listens on it."""

import asyncio
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

AGAIN_SECONDS = 1.0
LONGEST_SECONDS = 60.0  # without a look, whatever the system tells


async def until_there(socket: Path) -> None:
    """Returns when the socket exists; wakes for events in its folder, and once a minute."""
    loop = asyncio.get_running_loop()
    touched = asyncio.Event()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            loop.call_soon_threadsafe(touched.set)

    def nearest() -> Path:
        return next(one for one in socket.parents if _is_folder(one))

    if is_there(socket):
        return
    observer = Observer()
    try:
        await asyncio.to_thread(observer.start)
        watched = None
        while not is_there(socket):
            # The folder of a user who has not logged in yet is not there; one above it is.
            folder = nearest()
            if folder != watched:
                observer.unschedule_all()
                watched = None
                try:
                    observer.schedule(Handler(), str(folder), recursive=False)
                    watched = folder
                except OSError:  # it went away; or there are no more watches to be had
                    await asyncio.sleep(AGAIN_SECONDS)
                continue  # look again, now that nothing can be missed
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    await touched.wait()
            except TimeoutError:
                watched = None  # by that name may be another one: a user's is mounted at the login
            touched.clear()
    finally:
        observer.stop()
        await asyncio.to_thread(observer.join)


def is_there(socket: Path) -> bool:
    """Not where it may not be looked at."""
    try:
        return socket.exists()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
