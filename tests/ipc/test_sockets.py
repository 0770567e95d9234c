"""Claiming the sockets: modes, the lock, what a dead service left behind, systemd's hand-over."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from ipc.activation import handed_over, take_activated
from ipc.errors import (
    BadActivation,
    ServiceAlreadyRunning,
    SocketPathTooLong,
    UnsafeSocketFolder,
)
from ipc.sockets import (
    PATH_LIMIT_BYTES,
    ServiceSockets,
    admin_socket_path,
    api_socket_path,
    bind,
    make_private_folder,
    what_is_unsafe,
)


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path / "run"


def claim(runtime: Path) -> ServiceSockets:
    return ServiceSockets.claim(runtime, environ={})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def leave_behind(path: Path) -> None:
    """A socket file whose service is dead."""
    make_private_folder(path.parent)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


# --------------------------------------------------------------------------- modes


def test_only_the_user_can_reach_the_sockets(runtime: Path) -> None:
    before = os.umask(0)  # the worst that a user could have set
    try:
        with claim(runtime):
            assert os.umask(0) == 0, "the process keeps its umask"
            for path in (api_socket_path(runtime), admin_socket_path(runtime)):
                assert mode(path) == 0o600
                assert mode(path.parent) == 0o700
                assert connects(path)
            assert mode(runtime) == 0o700
    finally:
        os.umask(before)


def test_the_sockets_are_gone_after_the_service(runtime: Path) -> None:
    with claim(runtime):
        pass
    assert not api_socket_path(runtime).exists()
    assert not admin_socket_path(runtime).exists()


def test_a_socket_that_another_put_in_its_place_is_not_removed(runtime: Path) -> None:
    path = api_socket_path(runtime)
    with claim(runtime):
        path.rename(path.with_name("ours"))  # keeps its inode from being used again
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


# --------------------------------------------------------------------------- one service


def test_a_second_service_is_refused_and_told_which_one_runs(runtime: Path) -> None:
    with claim(runtime):
        with pytest.raises(ServiceAlreadyRunning, match=rf"process {os.getpid()}\)"):
            claim(runtime)
        assert connects(api_socket_path(runtime))
    with claim(runtime):
        assert connects(api_socket_path(runtime))


def test_what_a_killed_service_left_is_taken_over(runtime: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ipc.sockets import ServiceSockets\n"
        "claimed = ServiceSockets.claim(Path(sys.argv[1]), environ={})\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(runtime)], stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        with pytest.raises(ServiceAlreadyRunning, match=f"process {service.pid}"):
            claim(runtime)
        service.send_signal(signal.SIGKILL)
    assert api_socket_path(runtime).exists()
    assert not connects(api_socket_path(runtime))
    with claim(runtime):
        assert connects(api_socket_path(runtime))


def test_a_live_socket_is_not_taken_over(runtime: Path) -> None:
    path = admin_socket_path(runtime)
    make_private_folder(path.parent)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        with pytest.raises(ServiceAlreadyRunning):
            claim(runtime)
        assert connects(path)
    assert not api_socket_path(runtime).exists(), "a claim that failed leaves nothing"


def test_a_live_socket_whose_backlog_is_full_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "busy" / "api.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(0)
        waiting.connect(str(path))
        with pytest.raises(ServiceAlreadyRunning):
            bind(path)
        assert path.exists()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "stale" / "api.sock"
    leave_behind(path)
    with bind(path):
        assert connects(path)


# --------------------------------------------------------------------------- unsafe places


def test_a_linked_folder_is_refused(runtime: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    runtime.mkdir(mode=0o700)
    (runtime / "api").symlink_to(elsewhere)
    with pytest.raises(UnsafeSocketFolder, match="symbolic link"):
        claim(runtime)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("open_mode", [0o701, 0o710, 0o755, 0o770, 0o777], ids=oct)
def test_a_folder_that_others_can_enter_is_refused(runtime: Path, open_mode: int) -> None:
    runtime.mkdir()
    runtime.chmod(open_mode)
    with pytest.raises(UnsafeSocketFolder, match=f"{open_mode:04o}"):
        claim(runtime)


def test_a_folder_of_another_user_is_refused() -> None:
    assert what_is_unsafe(stat.S_IFDIR | 0o700, 1001, our_uid=1000) == "it belongs to another user"
    assert what_is_unsafe(stat.S_IFDIR | 0o700, 1000, our_uid=1000) is None


def test_a_file_in_the_place_of_a_socket_is_refused_and_kept(runtime: Path) -> None:
    path = api_socket_path(runtime)
    make_private_folder(path.parent)
    path.write_text("mine")
    with pytest.raises(UnsafeSocketFolder, match="not a socket"):
        claim(runtime)
    assert path.read_text() == "mine"


def test_a_home_whose_path_is_too_long_is_told_by_how_much(tmp_path: Path) -> None:
    name = "n" * (PATH_LIMIT_BYTES - len(os.fsencode(tmp_path)) - len("//s"))
    fits, too_long = tmp_path / name / "s", tmp_path / name / "sock"
    with bind(fits):
        assert connects(fits)
    with pytest.raises(SocketPathTooLong, match=r"NIGHTLOOM_HOME that is at least 3 bytes shorter"):
        bind(too_long)


# --------------------------------------------------------------------------- systemd


@pytest.fixture
def listening(tmp_path: Path) -> Generator[socket.socket, None, None]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "given.sock"))
        sock.listen()
        yield sock


def test_variables_for_another_process_are_not_ours() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"}
    assert handed_over(environ, pid=2) == ()
    assert handed_over({}, pid=2) == ()


@pytest.mark.parametrize(
    ("count", "names"),
    [("1", "api:admin"), ("2", "api"), ("x", "api"), ("2", "api:api"), ("1", "web"), ("", "")],
)
def test_variables_that_systemd_would_not_set_are_refused(count: str, names: str) -> None:
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": count, "LISTEN_FDNAMES": names}
    with pytest.raises(BadActivation):
        handed_over(environ, pid=7)


def test_a_socket_from_systemd_is_taken_and_hidden_from_children(listening: socket.socket) -> None:
    os.set_inheritable(listening.fileno(), True)
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "admin", "HOME": "/h"}
    taken = take_activated(environ, pid=7, first_descriptor=listening.fileno())
    assert taken.keys() == {"admin"}
    assert connects(Path(taken["admin"].getsockname()))
    assert not taken["admin"].get_inheritable()
    assert environ == {"HOME": "/h"}
    taken["admin"].detach()  # the fixture closes the descriptor


def test_a_descriptor_that_does_not_listen_is_refused() -> None:
    connected, other = socket.socketpair()
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"}
    with other, pytest.raises(BadActivation):
        take_activated(environ, pid=7, first_descriptor=connected.detach())


def test_sockets_from_systemd_stay_when_the_service_ends(runtime: Path, tmp_path: Path) -> None:
    """Run as systemd does: the sockets are descriptors 3 and 4 of a fresh process."""
    program = (
        "import os, sys; from pathlib import Path; from ipc.sockets import ServiceSockets\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "with ServiceSockets.claim(Path(sys.argv[1]), environ=os.environ) as claimed:\n"
        "    print(claimed.api.getsockname(), claimed.admin.getsockname())\n"
    )
    paths = [tmp_path / "one.sock", tmp_path / "two.sock"]
    sockets = []
    for path in paths:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(path))
        sock.listen()
        sockets.append(sock)
    wiring = f'exec 3<&{sockets[0].fileno()} 4<&{sockets[1].fileno()}; exec "$@"'
    answer = subprocess.run(
        ["/bin/bash", "-c", wiring, "-", sys.executable, "-c", program, str(runtime)],
        pass_fds=[sock.fileno() for sock in sockets],
        env=os.environ | {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "admin:api"},
        capture_output=True,
        text=True,
        check=True,
    )
    for sock in sockets:
        sock.close()
    assert answer.stdout.split() == [str(paths[1]), str(paths[0])]
    assert all(path.exists() for path in paths)
    assert not api_socket_path(runtime).exists()
