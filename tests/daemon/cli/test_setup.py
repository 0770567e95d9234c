"""The guide at a terminal: what it asks, what it leaves alone, and how one leaves and comes back.

The service is a stand-in with real sockets except where the guide starts one of its own.
"""

import asyncio
import os
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.setup_trial import Trial, tried
from ipc.errors import OperationError
from storage.keyring_keeper import LOCKED, KeyringKeeper
from storage.keys import Argon2Parameters
from storage.vault import Vault
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin, FakeModel, serving
from tests.daemon.cli.person import Open
from tests.secret_service import SecretService
from trainer.speed import Speed

WORDS = "nine brown teapots"
QUICK = Argon2Parameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
EVERY_DAY = ["status", "chat", "pause", "privacy forget", "why"]
IMPATIENCE_SECONDS = 1.0  # a second Ctrl-C does nothing once the first has come through
STEPS = ["vault", "base", "source", "service", "night"]
SYSTEMCTL = "#!/bin/sh\nexit 0\n"


@pytest.fixture(autouse=True)
def nobody_s_own_services(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever is installed, it is not with the systemd of who runs the tests."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    if "keyring_session" in request.fixturenames:  # which has a runtime folder of its own
        request.getfixturevalue("keyring_session")
    else:
        (home / "xdg").mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "xdg"))


@pytest.fixture
def manager(home: Path, nobody_s_own_services: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A systemd that takes every order, and does nothing."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    (runtime / "systemd").mkdir()
    (runtime / "systemd" / "private").touch()
    program = home / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def vault(home: Path) -> Path:
    """A vault in the home, opened by WORDS."""
    return make_vault(home)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with enough for a night."""
    folder = tmp_path / "letters"
    folder.mkdir()
    for number in range(12):
        words = " ".join(f"bee{number}x{word} frost harvest window" for word in range(60))
        (folder / f"{number}.md").write_text(f"# Letter {number}\n\nDear Zoë, {words}.\n")
    return folder


def choose_builtin(home: Path) -> None:
    (home / "config.toml").write_text('[engine]\nbase = "builtin"\n')


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at a person's terminal; the trainer forbids the network to the tests' own process."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def make_vault(home: Path) -> Path:
    made, _ = Vault.create(home / "vault", passphrase=WORDS, argon2=QUICK)
    made.close()
    return home / "vault"


def left_in(shown: str) -> list[str]:
    """The steps that are named as left when the guide was stopped."""
    return shown.rpartition("(left: ")[2].partition(")")[0].split()


# --------------------------------------------------------------------------- without a terminal


def test_without_a_terminal_it_says_what_to_run_and_does_nothing(run: Run, home: Path) -> None:
    result = run("setup")

    assert (result.exit_code, result.stdout) == (2, "")
    for words in ("--yes", "nightloom init", "nightloom run", "nightloom privacy sources add"):
        assert words in result.stderr
    assert not (home / "vault").exists()


def test_yes_weakens_no_vault_and_goes_to_no_network(
    run: Run, home: Path, vault: Path, measured: Speed, service: FakeAdmin, tmp_path: Path
) -> None:
    before = (vault / "slots.json").read_bytes()

    result = run("setup", "--yes", "--source", str(tmp_path))

    assert result.exit_code == 0, result.stderr
    assert (vault / "slots.json").read_bytes() == before
    assert 'base = "builtin"' in (home / "config.toml").read_text()
    (facts,) = [facts for name, facts in service.asked if name == "add_source"]
    assert (facts["path"], facts["own"]) == (str(tmp_path), True)
    assert all(f"nightloom {words}" in result.stdout for words in EVERY_DAY)


def test_yes_without_anything_that_opens_a_vault_makes_none(run: Run, home: Path) -> None:
    result = run("setup", "--yes")

    assert result.exit_code == 2
    assert "--passphrase-file" in result.stderr
    assert not (home / "vault").exists()


def test_a_step_that_there_is_not_is_named(run: Run, home: Path) -> None:
    result = run("setup", "vualt")

    assert result.exit_code == 2
    assert "'vault', 'base', 'source', 'service', 'night'" in result.stderr


# --------------------------------------------------------------------------- at a terminal


def test_a_second_run_finds_everything_done_and_asks_nothing(
    terminal: Open, home: Path, vault: Path, measured: Speed, service: FakeAdmin
) -> None:
    choose_builtin(home)
    before = (home / "config.toml").read_bytes()
    person = terminal("setup")

    assert person.end() == 0
    assert person.shown.count("✓") >= 3
    assert "[Y/n]" not in person.shown
    assert "letters" in person.shown
    assert "Left out" not in person.shown
    assert "tokens of new text" in person.shown
    assert (home / "config.toml").read_bytes() == before
    changing = {name for name, _ in service.asked} - {"status", "sources", "preview"}
    assert changing == set()


def test_wrong_answers_are_asked_again_and_a_refused_folder_is_no_end(
    terminal: Open, home: Path, vault: Path, measured: Speed, service: FakeAdmin, notes: Path
) -> None:
    service.source_list = []
    refusals = [OperationError(code="refused", sentence="This is the vault's own place.")]
    taken = service.add_source

    async def refuse_once(**facts: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return await taken(**facts)

    service.add_source = refuse_once  # type: ignore[method-assign]
    person = terminal("setup")
    person.wait_for("Which base")
    person.type("no such base")
    person.wait_for("is not one of")
    person.type("other")
    person.wait_for("OWNER/NAME")
    person.type("/no/such/folder")
    person.wait_for("step again?")
    person.type("")
    person.wait_for("Which base")
    person.type("1")
    person.wait_for("read now?")
    person.type("perhaps")
    person.wait_for("read now?")
    person.type("")
    person.wait_for("What is it")
    person.type("")
    person.wait_for("Which folder")
    person.type(str(notes / "gone"))
    person.wait_for("nothing at this place")
    person.type(str(home))
    person.wait_for("your own writing?")
    person.type("")
    person.wait_for("the vault's own place")
    person.wait_for("Which folder")
    person.type(f"'{notes}'")
    person.wait_for("your own writing?")
    person.type("n")
    person.wait_for("the text itself")
    person.type("")

    assert person.end() == 0
    (facts,) = [facts for name, facts in service.asked if name == "add_source"]
    assert (facts["path"], facts["own"]) == (str(notes), False)
    assert 'base = "builtin"' in (home / "config.toml").read_text()


def test_every_step_can_be_left_out(
    terminal: Open, home: Path, vault: Path, measured: Speed, service: FakeAdmin, manager: None
) -> None:
    service.source_list = []
    person = terminal("setup")
    for question, answer in [("Which base", "skip"), ("read now?", "n"), ("start it now?", "n")]:
        person.wait_for(question)
        person.type(answer)

    assert person.end() == 0
    assert "`nightloom setup base source service` takes that up" in person.shown
    assert not (home / "config.toml").exists()
    assert "add_source" not in [name for name, _ in service.asked]


QUESTIONS = {
    "vault": ("Make the vault", ""),
    "base": ("Which base", "1"),
    "source": ("read now?", "n"),
    "service": ("start it now?", "n"),
}


@pytest.mark.parametrize("at", QUESTIONS)
def test_ctrl_c_in_any_step_says_how_to_go_on(
    terminal: Open, home: Path, measured: Speed, service: FakeAdmin, manager: None, at: str
) -> None:
    service.source_list = []
    if at != "vault":
        make_vault(home)
    person = terminal("setup")
    for name in STEPS[(at != "vault") : STEPS.index(at)]:
        person.wait_for(QUESTIONS[name][0])
        person.type(QUESTIONS[name][1])
    person.wait_for(QUESTIONS[at][0])
    person.wait_for(":")
    person.interrupt_at_prompt("Stopped.", IMPATIENCE_SECONDS)

    assert person.end() == 130
    assert "What is done stays; `nightloom setup` goes on" in person.shown
    assert left_in(person.shown)[-1] == "night"
    assert at in left_in(person.shown)
    assert (home / "vault").exists() == (at != "vault")


class AnswersOnce(FakeAdmin):
    """Says once what tonight would learn, and the next time lets one wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()

    async def preview(self) -> Any:
        if "preview" in [name for name, _ in self.asked]:
            self.waits.set()
            await asyncio.Event().wait()
        return await super().preview()


def test_ctrl_c_in_the_last_step_leaves_only_that(
    terminal: Open, home: Path, vault: Path, measured: Speed, model: FakeModel
) -> None:
    choose_builtin(home)
    admin = AnswersOnce()
    with serving(home / "run", admin, model):
        person = terminal("setup")
        assert admin.waits.wait(15)
        person.process.send_signal(signal.SIGINT)

        assert person.end() == 130
    assert left_in(person.shown) == ["night"]


# --------------------------------------------------------------------------- the real thing


def test_a_first_run_tries_the_slot_and_serves_and_ctrl_c_ends_its_service(
    terminal: Open,
    run: Run,
    home: Path,
    measured: Speed,
    notes: Path,
    keyring_session: SecretService,
    manager: None,
) -> None:
    person = terminal("setup")
    for shown, answer in [
        ("Make the vault now?", ""),
        ("leave it empty for none", ""),
        ("written down?", ""),
        ("nobody was asked", None),
        ("Which base", ""),
        ("read now?", ""),
        ("What is it", ""),
        ("Which folder", str(notes)),
        ("your own writing?", ""),
        ("12 new documents", None),
        ("the text itself", ""),
    ]:
        person.wait_for(shown)
        if answer is not None:
            person.type(answer)
    person.wait_for("start it now?")
    person.wait_for(":")
    person.interrupt_at_prompt("Stopped.", IMPATIENCE_SECONDS)

    assert person.end() == 130
    assert left_in(person.shown) == ["service", "night"]
    Vault.open_unattended(home / "vault").close()  # no service has it any more

    keyring_session.lock()
    again = run("setup", "vault", "--yes")
    assert again.exit_code == 0
    assert "it did not open by itself" in again.stdout
    assert "Log in to the desktop" in again.stdout
    assert "nightloom unlock" in again.stdout


def test_the_service_is_installed_after_a_yes(
    terminal: Open, home: Path, vault: Path, manager: None
) -> None:
    person = terminal("setup", "service")
    person.wait_for("start it now?")
    person.type("")

    assert person.end() == 0
    assert "The service is installed and runs" in person.shown
    assert "nightloom.service" in person.shown


def test_the_slots_are_tried_also_while_a_service_has_the_vault(
    home: Path, keyring_session: SecretService
) -> None:
    keeper = KeyringKeeper()
    (home / "vault").mkdir()
    vault, _ = Vault.create(home / "vault", passphrase=None, keeper=keeper)
    with closing(vault):
        assert tried(home / "vault", [keeper]) == Trial(by="keyring", reasons={})
        keyring_session.lock()
        assert tried(home / "vault", [keeper]) == Trial(by=None, reasons={"keyring": LOCKED})


def test_only_a_yes_leads_to_the_network(
    terminal: Open, home: Path, measured: Speed, online: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    person = terminal("setup", "base")
    for shown, answer in [
        ("Which base", "other"),
        ("OWNER/NAME", "somebody/something"),
        ("over the network", "y"),
        ("now asks 127.0.0.1", None),
        ("The base was not added", None),
        ("step again?", "y"),
        ("Which base", "other"),
        ("OWNER/NAME", "somebody/something"),
        ("over the network", ""),
        ("Left out", None),
    ]:
        person.wait_for(shown)
        if answer is not None:
            person.type(answer)
    assert person.end() == 0
    assert person.shown.count("now asks") == 1
    assert not (home / "config.toml").exists()


def test_ctrl_c_ends_a_download_that_hangs(
    terminal: Open, home: Path, measured: Speed, online: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        person = terminal("setup", "base")
        for shown, answer in [
            ("Which base", "other"),
            ("OWNER/NAME", "somebody/something"),
            ("over the network", "y"),
        ]:
            person.wait_for(shown)
            person.type(answer)
        person.wait_for("now asks")
        asking, _ = silent.accept()
        with asking:
            os.killpg(person.process.pid, signal.SIGINT)  # as the terminal does
            assert person.end() == 130
    assert "`nightloom setup base` goes on" in person.shown
