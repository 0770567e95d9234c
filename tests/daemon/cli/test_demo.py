"""The demo around a service that answers at once: what it shows, and that nothing stays behind.

The service is a stand-in process with real sockets and a child of its own, as the engine is one;
the vault, the signals and the processes are real.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes by pidfd")

ROOT = Path(__file__).parents[3]
DEMO = """
import sys
from daemon.cli import demo_service, main
demo_service.SERVICE_COMMAND = (sys.executable, "-m", "tests.daemon.cli.stand_in_service")
main()
"""
STAGES = ["creating a vault", "starting", "collecting notes", "training", "asking both models"]


class Demo:
    """A demo that runs as a process of its own."""

    def __init__(self, temporary: Path, processes: Path, *words: str, behaviour: str = "") -> None:
        self.temporary = temporary
        self.processes = processes  # the stand-in writes there which they are
        self.process = subprocess.Popen(
            [sys.executable, "-c", DEMO, "demo", *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "TMPDIR": str(temporary),
                "STAND_IN_PROCESSES": str(processes),
                "STAND_IN_BEHAVIOUR": behaviour,
                "COLUMNS": "140",
            },
        )

    def wait_until_it_says(self, words: str) -> None:
        assert self.process.stdout is not None
        while words not in (line := self.process.stdout.readline()):
            assert line, "the demo ended early"

    def end(self) -> tuple[int, str, str]:
        """Exit code and what it said since; fails after the time that cleaning up may take."""
        out, errors = self.process.communicate(timeout=15)
        return self.process.returncode, out, errors

    def service_processes(self) -> list[int]:
        """The service and its child, as far as they were started."""
        if not self.processes.exists():
            return []
        return [int(pid) for pid in self.processes.read_text().split()]


def is_over(pid: int, *, within_seconds: float = 10) -> bool:
    """Whether a process ends in time; zombies count as ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], within_seconds)[0])
    finally:
        os.close(descriptor)


Begin = Callable[..., Demo]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a demo whose temporary folder is empty at first, with a path short for sockets."""
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nl-")))

        def begin_demo(*words: str, behaviour: str = "") -> Demo:
            demo = Demo(temporary, tmp_path / "processes", *words, behaviour=behaviour)
            stack.callback(demo.process.communicate)
            stack.callback(demo.process.kill)
            return demo

        yield begin_demo


def nothing_is_left(demo: Demo) -> bool:
    return not list(demo.temporary.iterdir()) and all(
        is_over(pid, within_seconds=0) for pid in demo.service_processes()
    )


def test_the_whole_story_ends_with_both_answers_and_the_figures(begin: Begin) -> None:
    demo = begin()

    code, said, errors = demo.end()

    assert (code, errors) == (0, "")
    places = [said.index(stage) for stage in STAGES]
    assert places == sorted(places)
    assert "base answers" in said
    assert "personal answers" in said
    assert "4.000 → 3.400  (-15.0 %, 95 % interval -17.0 to -13.0 %)" in said
    assert "54.60 → 30.00" in said
    assert "3.000 → 3.030  (+1.0 %)" in said
    assert "1,234 collected, 240 trained on" in said
    assert "fedcba987654" in said
    assert "training 2 min 20 s" in said
    assert said.rstrip().endswith("when you have written more")
    assert nothing_is_left(demo)


def test_the_peak_counts_the_service_and_its_child(begin: Begin) -> None:
    _, said, _ = begin().end()

    (line,) = [line for line in said.splitlines() if "peak memory" in line]
    amount, unit = line.split("│")[2].split()
    assert float(amount) * {"MB": 1, "GB": 1000}[unit] > 60  # the child alone holds that much


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        *((stage, signal.SIGINT) for stage in STAGES),
        ("starting", signal.SIGTERM),
        ("training", signal.SIGHUP),
    ],
)
def test_a_signal_at_any_stage_leaves_nothing(begin: Begin, stage: str, number: int) -> None:
    demo = begin(behaviour="never-ending-" + ("answer" if "asking" in stage else "night"))
    demo.wait_until_it_says(stage)

    demo.process.send_signal(number)
    code, _, errors = demo.end()

    assert (code, errors) == (128 + number, "\n")
    assert nothing_is_left(demo)


def test_impatient_fingers_do_not_disturb_the_cleaning_up(begin: Begin) -> None:
    demo = begin(behaviour="never-ending-night")
    demo.wait_until_it_says("training")

    while demo.process.poll() is None:
        demo.process.send_signal(signal.SIGINT)

    # the last one may hit Python itself on its way out
    assert demo.process.returncode in (130, -signal.SIGINT)
    assert nothing_is_left(demo)


def test_a_service_that_does_not_want_to_end_is_ended(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = begin(behaviour="never-ending-night deaf-child")
    demo.wait_until_it_says("training")

    demo.process.send_signal(signal.SIGINT)

    assert demo.end()[0] == 130
    assert nothing_is_left(demo)


def test_the_home_is_in_the_temporary_folder_and_private(begin: Begin) -> None:
    demo = begin(behaviour="never-ending-night")
    demo.wait_until_it_says("training")

    (home,) = demo.temporary.iterdir()

    assert home.stat().st_mode & 0o777 == 0o700
    demo.process.send_signal(signal.SIGINT)
    assert demo.end()[0] == 130
    assert nothing_is_left(demo)


def test_even_a_killed_demo_leaves_no_process(begin: Begin) -> None:
    demo = begin(behaviour="never-ending-night")
    demo.wait_until_it_says("training")
    processes = demo.service_processes()

    demo.process.kill()

    assert len(processes) == 2
    assert all(is_over(pid) for pid in processes)


@pytest.mark.parametrize("state", ["refused", "waiting", "failed"])
def test_a_night_without_an_adapter_is_told_and_fails(begin: Begin, state: str) -> None:
    demo = begin(behaviour=f"night-{state}")

    code, said, errors = demo.end()

    assert code == 1
    assert f"The night is {state}: It did not get better." in said
    assert errors.count("\n") == 1
    assert errors.startswith("nightloom: The demo's night ended without a new adapter")
    assert nothing_is_left(demo)


@pytest.mark.parametrize("moment", ["at-start", "at-night"])
def test_a_service_that_dies_is_quoted(begin: Begin, moment: str) -> None:
    demo = begin(behaviour=f"dies-{moment}")

    code, _, errors = demo.end()

    assert code == 1
    assert errors.startswith("nightloom: The base is damaged.\nnightloom: The demo's service ended")
    assert nothing_is_left(demo)


def test_a_kept_home_is_private_and_holds_what_opens_it(begin: Begin, tmp_path: Path) -> None:
    from storage.keys import Passphrase
    from storage.vault import Vault

    kept = tmp_path / "k"
    demo = begin("--keep", str(kept))

    code, said, _ = demo.end()

    assert code == 0
    assert f"NIGHTLOOM_HOME={kept} nightloom run --passphrase-file {kept}/passphrase" in said
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "passphrase").stat().st_mode & 0o777 == 0o600
    Vault.open(kept / "vault", Passphrase(text=(kept / "passphrase").read_text().strip())).close()
    assert nothing_is_left(demo)


def test_a_folder_that_holds_something_is_not_taken(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear Zoë")
    demo = begin("--keep", str(tmp_path / "mine"))

    code, _, errors = demo.end()

    assert code == 5
    assert "not empty" in errors
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    assert nothing_is_left(demo)
