"""A home for each test, a service that answers as the test says, and the command run in it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from daemon import kept_speed
from daemon.cli.root import nightloom, version
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel, serving
from tests.daemon.cli.person import Open, Terminal
from trainer.speed import Speed

Run = Callable[..., Result]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home with a path that is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="nl-"))
    monkeypatch.setenv("NIGHTLOOM_HOME", str(folder))
    monkeypatch.delenv("NIGHTLOOM_PASSPHRASE_FILE", raising=False)
    # nobody's own keyring is ever touched
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={folder}/no-bus")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def measured(home: Path) -> Speed:
    """How fast the machine learns was measured before, so that no command does it again."""
    speed = Speed(small=1e11, large=4e11)
    (home / "bases").mkdir(exist_ok=True)
    kept_speed.keep(home / "bases", kept_speed.Conditions.here(version()), speed)
    return speed


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin()


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def service(home: Path, admin: FakeAdmin, model: FakeModel) -> Iterator[FakeAdmin]:
    """The fake service, running in the home."""
    with serving(home / "run", admin, model):
        yield admin


@pytest.fixture
def run(home: Path) -> Run:
    """Runs the command in this process: `run("status", "--json")`."""

    def command(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(nightloom, list(words), input=stdin, prog_name="nightloom")

    return command


@pytest.fixture
def terminal(home: Path) -> Iterator[Open]:
    """Runs the command on a terminal: `terminal("base", "remove", "x").type("y")`."""
    with ExitStack() as stack:

        def begin(*words: str) -> Terminal:
            opened = Terminal(*words)
            stack.callback(opened.close)
            return opened

        yield begin
