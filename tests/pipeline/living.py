"""A whole nightloom for tests: a home, notes, the service as a process, both sockets.

Nothing in it is a stand-in: the service is `nightloom run`, its engine a real process with a real
4-bit base, the vault and the sockets are real, and what a client sees comes through the `openai`
client. What a test waits for is a condition; how long that takes is the machine's affair.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai
from click.testing import CliRunner, Result

from daemon.cli.passphrase import VARIABLE
from daemon.cli.process_tree import descendants
from daemon.cli.root import nightloom
from daemon.home import Home
from ipc.client import AdminClient
from storage.keys import Argon2Parameters, Passphrase
from storage.vault import Vault

T = TypeVar("T")
Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "eleven tin larks — und ein Häher"
QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
PATIENCE_SECONDS = 120.0  # a machine may be busy; a test's own cap comes first
TINY = "tiny"  # the name of the tiny base in a home's folder of bases
TICKS = os.sysconf("SC_CLK_TCK")


def until(holds: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """What `holds` returns as soon as that counts as true."""
    end = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.02)
    return value


class Nightloom:
    """One home and what lives in it. Everything is below `root`, whose path is short.

    home/        NIGHTLOOM_HOME: configuration, vault, bases, sockets
    notes/       what a source may name
    temporary/   TMPDIR of the service and its engine
    said, errors stdout and stderr of all services that ran here
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home_folder = root / "home"
        self.home = Home.under(self.home_folder)
        self.notes = root / "notes"
        self.temporary = root / "temporary"
        self.said = root / "said"
        self.errors = root / "errors"
        self.passphrase = root / "passphrase"
        self.gives_passphrase = True  # to the service, with --passphrase-file
        # of the service and of commands; nobody's own keyring is ever touched
        self.environ = {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={root}/no-bus",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={root}/no-bus",
        }
        self._process: subprocess.Popen[bytes] | None = None
        for folder in (self.home_folder, self.notes, self.temporary):
            folder.mkdir(mode=0o700, exist_ok=True)
        for file in (self.said, self.errors, self.passphrase):
            file.touch(mode=0o600)
        self.passphrase.write_text(PASSPHRASE, "utf-8")
        self.admin = AdminClient(self.home.admin_socket)

    # ------------------------------------------------------------------- before it runs

    def configure(self, text: str, *, automatic: bool = False) -> None:
        """Nights begin when a test says so, unless it says otherwise."""
        if not automatic:
            by_hand = "[night]\nautomatic = false\n"
            text = text.replace("[night]\n", by_hand) if "[night]\n" in text else by_hand + text
        self.home.config_file.write_text(text, "utf-8")

    def make_vault(self) -> None:
        """As `nightloom init`, with a passphrase that costs nothing to try."""
        vault, _ = Vault.create(self.home.vault, passphrase=PASSPHRASE, argon2=QUICK)
        vault.close()

    def open_vault(self) -> Vault:
        """The vault of a service that does not run."""
        return Vault.open(self.home.vault, Passphrase(text=PASSPHRASE))

    def add_base(self, folder: Path, name: str = TINY) -> Path:
        """Put a copy of a base into the home; it can be damaged then."""
        return Path(shutil.copytree(folder, self.home.bases / name))

    def write(self, name: str, text: str) -> Path:
        """A note."""
        file = self.notes / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    # ------------------------------------------------------------------- the service

    def spawn(self) -> "subprocess.Popen[bytes]":
        """A service in this home, not waited for."""
        if not self.home.config_file.exists():
            self.configure("")
        environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
        environment |= self.environ | {
            "NIGHTLOOM_HOME": str(self.home.root),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.temporary),
        }
        command = [sys.executable, "-P", "-m", "daemon.cli", "run"]
        if self.gives_passphrase:
            command += ["--passphrase-file", str(self.passphrase)]
        with self.said.open("ab") as said, self.errors.open("ab") as errors:
            return subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=errors,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the service and wait until it says that it is ready."""
        assert self._process is None, "it runs already"
        before = self.said.read_text().count("ready")
        process = self._process = self.spawn()

        def ready() -> bool:
            assert process.poll() is None, self.errors.read_text()
            return self.said.read_text().count("ready") > before

        until(ready)

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def engine_pid(self) -> int | None:
        """The engine's process, once it is one."""
        return next((pid for pid in descendants(self.pid) if is_engine(pid)), None)

    def kill_engine(self) -> None:
        """SIGKILL, and wait until it is gone."""
        engine = self.engine_pid()
        assert engine is not None, "there is no engine"
        os.kill(engine, signal.SIGKILL)
        until(lambda: not is_alive(engine))

    def kill(self) -> None:
        """SIGKILL to the service; its engine has to follow by itself."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM to the service; its exit code."""
        return self._end(signal.SIGTERM)

    def close(self) -> None:
        """End whatever still runs."""
        if self._process is not None:
            self.kill()

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None, "it does not run"
        family = [self._process.pid, *descendants(self._process.pid)]
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_SECONDS)
        self._process = None
        until(lambda: not any(is_alive(pid) for pid in family))
        return code

    # ------------------------------------------------------------------- asking

    def run(self, *words: str) -> Result:
        """The command, as typed by somebody whose NIGHTLOOM_HOME this is."""
        environment = self.environ | {"NIGHTLOOM_HOME": str(self.home.root), VARIABLE: None}
        return CliRunner().invoke(nightloom, list(words), env=environment, prog_name="nightloom")

    def add_source(self, folder: Path | None = None, name: str | None = None) -> None:
        """Allow a folder (the notes), and wait until it is collected."""
        self.admin.add_source(str(folder or self.notes), name=name)
        self.admin.rescan()

    @contextmanager
    def client(self) -> Generator[openai.OpenAI, None, None]:
        """The real client over `api.sock`. It never tries twice: a test says what it expects."""
        transport = httpx2.HTTPTransport(uds=str(self.home.api_socket))
        with (
            httpx2.Client(transport=transport) as http,
            openai.OpenAI(
                http_client=http,
                base_url="http://nightloom/v1",
                api_key="-",
                max_retries=0,
                timeout=PATIENCE_SECONDS,
            ) as client,
        ):
            yield client

    def ask(self, text: str, model: str = "personal", **sampling: Any) -> str:
        """A short, repeatable answer."""
        with self.client() as client:
            answer = client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": text}],
                **{"max_tokens": 8, "temperature": 0.0} | sampling,
            )
        return answer.choices[0].message.content or ""


@contextmanager
def new_home() -> Iterator[Nightloom]:
    """An empty home with a path that is short enough for sockets; gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="nl-"))
    place = Nightloom(root)
    try:
        yield place
    finally:
        place.close()
        shutil.rmtree(root)


@contextmanager
def copied_home(template: Nightloom) -> Iterator[Nightloom]:
    """A home that begins as a copy of another one, whose service is stopped."""
    with new_home() as place:
        for part in ("vault", "bases"):
            shutil.copytree(template.home_folder / part, place.home_folder / part)
        shutil.copy(template.home.config_file, place.home.config_file)
        yield place


# --------------------------------------------------------------------------- nights


def state_of(line: Json) -> str:
    """The state that a line of progress tells."""
    night = line.get("night")
    return str(night["state"] if night else line.get("state"))


def wait_for(night: Iterator[Json], holds: Callable[[Json], bool]) -> Json:
    """The next line of progress that is as wanted; the night goes on."""
    for line in night:
        if holds(line):
            return line
    raise AssertionError("the night ended before that")


def at_step(number: int) -> Callable[[Json], bool]:
    """A line that tells of this step or a later one."""
    return lambda line: int(line.get("step") or 0) >= number


def entry_of(night: Iterator[Json]) -> Json:
    """The night's entry in the log, which is its last line."""
    entry: Json = {}
    for line in night:
        entry = line.get("night", entry)
    assert entry, "the night ended without an entry"
    return entry


# --------------------------------------------------------------------------- processes


def is_alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def is_engine(pid: int) -> bool:
    try:
        return b"daemon.engine" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """Processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def at_rest(pid: int) -> Callable[[], bool]:
    """Says whether a process used no processor since the time it was asked before."""
    used = cpu_seconds(pid)
    looked = time.monotonic()

    def holds() -> bool:
        nonlocal used, looked
        if time.monotonic() - looked < 10 / TICKS:
            return False
        before, used = used, cpu_seconds(pid)
        looked = time.monotonic()
        return used == before

    return holds
