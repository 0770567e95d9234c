"""The service's two Unix sockets: claimed safely, by one service at a time.

Folders 0700 and ours, sockets 0600, a lock that the kernel gives back when the service dies, and
a file of a dead service replaced only when nobody answers there. Knows nothing of HTTP.
"""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ipc.activation import take_activated
from ipc.errors import ServiceAlreadyRunning, SocketPathTooLong, UnsafeSocketFolder
from ipc.launchd import take_from_launchd

# sizeof(sun_path) less the final zero
PATH_LIMIT_BYTES = 103 if sys.platform == "darwin" else 107
BACKLOG = 128
LOCK_NAME = "service.lock"


def api_socket_path(runtime_folder: Path) -> Path:
    """In a folder of its own, so that it alone can be given to a sandboxed client."""
    return runtime_folder / "api" / "api.sock"


def admin_socket_path(runtime_folder: Path) -> Path:
    return runtime_folder / "admin" / "admin.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSockets:
    """Both sockets, listening, and the lock. Leaving the `with` closes and removes them."""

    api: socket.socket
    admin: socket.socket
    lock_descriptor: int
    bound_here: tuple[tuple[Path, int], ...]  # path and inode; not those that systemd bound

    @classmethod
    def claim(cls, runtime_folder: Path, *, environ: MutableMapping[str, str]) -> Self:
        """Takes the lock, then takes over the manager's sockets or binds its own.

        Args:
            runtime_folder: made when missing.
            environ: looked into for systemd's LISTEN_* variables, which are removed from it.

        Raises:
            ServiceAlreadyRunning, SocketPathTooLong, UnsafeSocketFolder, BadActivation
        """
        lock_descriptor = lock(runtime_folder)
        opened: dict[str, socket.socket] = {}
        bound: list[tuple[Path, int]] = []
        paths = {"api": api_socket_path(runtime_folder), "admin": admin_socket_path(runtime_folder)}
        try:
            opened.update(take_activated(environ, pid=os.getpid()))
            if sys.platform == "darwin":
                opened.update(take_from_launchd())
            to_bind = {name: path for name, path in paths.items() if name not in opened}
            for path in sorted(to_bind.values(), key=path_bytes, reverse=True):
                check_path_length(path)  # the longest first: it says by how much all fit
            for name, path in to_bind.items():
                opened[name] = bind(path)
                bound.append((path, path.lstat().st_ino))
            return cls(
                api=opened["api"],
                admin=opened["admin"],
                lock_descriptor=lock_descriptor,
                bound_here=tuple(bound),
            )
        except BaseException:
            for sock in opened.values():
                sock.close()
            remove(tuple(bound))
            os.close(lock_descriptor)
            raise

    def close(self) -> None:
        self.api.close()
        self.admin.close()
        remove(self.bound_here)
        os.close(self.lock_descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock(runtime_folder: Path) -> int:
    """A descriptor that holds the one lock of this home until it is closed or the process dies.

    The file stays: removing it would let two services lock two files of one name.

    Raises:
        ServiceAlreadyRunning: with the process id, where the file tells it.
    """
    make_private_folder(runtime_folder)
    descriptor = os.open(
        runtime_folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        written = os.read(descriptor, 20).strip()
        os.close(descriptor)
        raise ServiceAlreadyRunning(int(written) if written.isdigit() else None) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


def bind(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600, in a folder that only this user can enter.

    Raises:
        SocketPathTooLong, UnsafeSocketFolder
        ServiceAlreadyRunning: somebody listens there; their socket is left alone.
    """
    check_path_length(path)
    make_private_folder(path.parent)
    remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        umask = os.umask(0o177)
        try:
            sock.bind(os.fspath(path))
        finally:
            os.umask(umask)
        made = path.lstat()
        if not stat.S_ISSOCK(made.st_mode) or stat.S_IMODE(made.st_mode) != 0o600:
            raise UnsafeSocketFolder(
                path=str(path.parent), reason="its file system does not keep the mode of a socket"
            )
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def path_bytes(path: Path) -> int:
    return len(os.fsencode(path))


def check_path_length(path: Path) -> None:
    length = path_bytes(path)
    if length > PATH_LIMIT_BYTES:
        raise SocketPathTooLong(path=str(path), length=length, limit=PATH_LIMIT_BYTES)


def make_private_folder(folder: Path) -> None:
    """Makes `folder` and what is missing above it with mode 0700; checks one that exists.

    Raises:
        UnsafeSocketFolder: a link, not a folder, another user's, or open to others.
    """
    for missing in reversed([folder, *folder.parents]):
        if not os.path.lexists(missing):
            with contextlib.suppress(FileExistsError):
                missing.mkdir(mode=0o700)
    found = folder.lstat()
    reason = what_is_unsafe(found.st_mode, found.st_uid, our_uid=os.geteuid())
    if reason is not None:
        raise UnsafeSocketFolder(path=str(folder), reason=reason)


def what_is_unsafe(mode: int, uid: int, *, our_uid: int) -> str | None:
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(mode):
        return "it is not a folder"
    if uid != our_uid:
        return "it belongs to another user"
    if mode & 0o077:
        return f"others can enter it (mode {stat.S_IMODE(mode):04o}); run chmod 700 on it"
    return None


def remove_stale(path: Path) -> None:
    """Removes the socket of a service that died. One that answers, or may, stays.

    Raises:
        ServiceAlreadyRunning: somebody listens there.
        UnsafeSocketFolder: what is there is not a socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UnsafeSocketFolder(
            path=str(path.parent), reason=f"something that is not a socket is at {path.name}"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full backlog answers EAGAIN instead of waiting
        answer = probe.connect_ex(os.fspath(path))
    if answer != errno.ECONNREFUSED:
        raise ServiceAlreadyRunning
    path.unlink()


def remove(bound: tuple[tuple[Path, int], ...]) -> None:
    """Removes the socket files that are still those that we made."""
    for path, inode in bound:
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_ino == inode:
                path.unlink()
