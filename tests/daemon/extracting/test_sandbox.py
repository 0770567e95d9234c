"""What a worker cannot do, proven by trying in real workers."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.extracting.extractor import Extractor
from daemon.extracting.landlock import CREATE_RULESET, VERSION
from tests.daemon.extracting.conftest import ROOT
from tests.daemon.extracting.hostile import attempt, doors
from tests.daemon.extracting.parts import read, until

pytestmark = pytest.mark.skipif("sys.platform != 'linux'")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    place.mkdir()
    (place / "there.txt").write_text("Saint Monday")
    return place


@pytest.fixture
def file(tmp_path: Path, folder: Path) -> Path:
    place = tmp_path / "letter.txt"
    place.write_text(str(folder))
    return place


def test_nothing_can_be_written_reached_or_started(
    extractor: Extractor, file: Path, folder: Path
) -> None:
    ((document,), _) = read(extractor, file, "tries")

    tried = dict(line.split() for line in document.text.splitlines())
    assert len(tried) > 25
    assert set(tried.values()) == {"EACCES"}, tried
    assert [(one.name, one.read_text()) for one in folder.iterdir()] == [
        ("there.txt", "Saint Monday")
    ]


def test_the_walls_are_what_refuses_and_not_this_machine(folder: Path) -> None:
    """Harmless ones of the same doors, without walls."""
    harmless = ("write", "append", "create", "truncate", "internet", "local_socket", "kill")
    tried = {name: attempt(door) for name, door in doors(folder) if name in harmless}

    assert tried == dict.fromkeys(harmless, "opened")


def test_other_files_of_the_user_cannot_be_read(
    extractor: Extractor, file: Path, folder: Path
) -> None:
    """By Landlock, where this kernel has it."""
    if ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, VERSION) < 1:
        pytest.skip("this kernel has no Landlock")
    file.write_text(str(folder / "there.txt"))
    ((document,), _) = read(extractor, file, "reads_elsewhere")

    assert document.text == "EACCES"


def test_a_worker_holds_its_file_its_answers_and_no_more(extractor: Extractor, file: Path) -> None:
    ((document,), _) = read(extractor, file, "holds")

    assert document.text == "5"  # with three that lead nowhere


def test_the_child_is_behind_walls_before_it_gets_a_file(extractor: Extractor, file: Path) -> None:
    read(extractor, file)
    status = Path(f"/proc/{extractor.process_id}/status").read_text()

    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    limits = Path(f"/proc/{extractor.process_id}/limits").read_text()
    for name in ("Max core file size", "Max file size"):
        (line,) = (line for line in limits.splitlines() if line.startswith(name))
        assert line.removeprefix(name).split()[:2] == ["0", "0"]


def test_the_child_and_its_workers_end_with_a_killed_service(file: Path) -> None:
    service = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.daemon.extracting.parts import *\n"
        "extractor = Extractor(formats=FOR_TESTS)\n"
        "documents = reading(extractor, Path(sys.argv[1]), 'floods')\n"
        "next(documents)\n"
        "child = extractor.process_id\n"
        "worker = Path(f'/proc/{child}/task/{child}/children').read_text()\n"
        "print(child, worker, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", service, str(file)], cwd=ROOT, stdout=subprocess.PIPE,
        stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        child, worker = (int(word) for word in process.stdout.readline().split())
        process.send_signal(signal.SIGKILL)
        until(lambda: gone(child) and gone(worker))


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
