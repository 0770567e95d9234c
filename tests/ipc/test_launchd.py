"""launchd's hand-over of sockets, with a library of ours in place of Apple's."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from ipc.launchd import take_from_launchd

LIBRARY = """
#include <stdlib.h>
#include <string.h>
int launch_activate_socket(const char *name, int **fds, size_t *count) {
    const char *given = getenv("NIGHTLOOM_TEST_SOCKET");
    if (given == NULL || strcmp(name, "api") != 0) return given == NULL ? 3 : 2;
    *fds = malloc(sizeof **fds);
    (*fds)[0] = atoi(given);
    *count = 1;
    return 0;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("launchd")
    (folder / "stand_in.c").write_text(LIBRARY)
    made = folder / "stand_in.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, folder / "stand_in.c"], check=True)
    return str(made)


def test_a_process_of_nobodys_agent_has_none(library: str) -> None:
    assert take_from_launchd(library) == {}


def test_what_launchd_bound_is_taken(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        bound.listen()
        monkeypatch.setenv("NIGHTLOOM_TEST_SOCKET", str(bound.detach()))

        taken = take_from_launchd(library)

    assert list(taken) == ["api"]  # the other one the service binds itself
    with taken["api"] as ours, socket.socket(socket.AF_UNIX) as client:
        assert not ours.get_inheritable()
        client.connect(str(tmp_path / "s"))
