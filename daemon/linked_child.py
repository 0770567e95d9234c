"""A child process of ours with one end of a link: how the engine and the curating child begin."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from ipc.link import link_sockets


async def start_linked(
    module: str,
    *,
    environment: Mapping[str, str],
    silent: bool = False,
    folder: Path | None = None,
) -> tuple[asyncio.subprocess.Process, socket.socket]:
    """`python -m MODULE FD`, and our end of the link whose other end FD is.

    Args:
        silent: nothing that it or its libraries say on stderr is heard; it may hold text.
        folder: where it works; our own if None.

    Raises:
        OSError: the system gives no process, or no sockets.
    """
    ours, theirs = link_sockets()
    with contextlib.ExitStack() as undo, theirs:
        undo.callback(ours.close)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # what lies in the current folder is not ours to import
            "-m",
            module,
            str(theirs.fileno()),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL if silent else None,
            env=environment,
            cwd=folder,
            process_group=0,  # Ctrl-C is the service's to answer
        )
        undo.pop_all()
    return process, ours
