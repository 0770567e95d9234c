"""`nightloom bridge`: its token, its sentences, and one that runs as a process of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from daemon.cli.exits import ExitCode
from daemon.collecting.redaction import find_secrets
from daemon.home import Home
from daemon.installing.bridge_unit import BRIDGE, bridge_unit
from daemon.installing.purging import purge
from ipc.bridge_token import Token, read_token
from tests.daemon.cli.conftest import Run
from tests.ipc.serving import SOON_SECONDS, house, saying

SOURCES = Path(__file__).parents[3]


@pytest.fixture
def vault(home: Path) -> Path:
    """As far as the bridge looks: something is where the vault belongs."""
    (home / "vault").mkdir()
    (home / "vault" / "slots.json").touch()
    return home / "vault"


def test_without_a_port_it_says_what_is_missing(run: Run, vault: Path) -> None:
    result = run("bridge")

    assert result.exit_code == ExitCode.USAGE
    assert "--port 8484" in result.stderr
    assert not (vault.parent / "bridge.token").exists()


def test_without_a_vault_there_is_nothing_to_bridge_to(run: Run, home: Path) -> None:
    result = run("bridge", "--port", "8484")

    assert result.exit_code == ExitCode.FAILED
    assert "nightloom init" in result.stderr
    assert list(home.iterdir()) == []


def test_the_token_is_made_once_and_shown_only_when_asked_for(run: Run, vault: Path) -> None:
    shown = run("bridge", "--show-token")
    token = read_token(vault.parent / "bridge.token").text
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, f"{token}\n", "")
    assert run("bridge", "--show-token").stdout == shown.stdout

    made = run("bridge", "--new-token")

    assert made.exit_code == 0
    assert "sk-nightloom" not in made.output
    assert run("bridge", "--show-token").stdout != shown.stdout


def test_a_token_in_a_note_is_redacted() -> None:
    token = Token.random().text

    (found,) = find_secrets(f"For llm: {token}.")

    assert (found.start, found.end) == (9, 9 + len(token))


def test_a_token_that_others_can_read_is_refused_until_there_is_a_new_one(
    run: Run, vault: Path
) -> None:
    run("bridge", "--show-token")
    (vault.parent / "bridge.token").chmod(0o644)

    refused = run("bridge", "--show-token")

    assert (refused.exit_code, refused.stdout) == (ExitCode.REFUSED, "")
    assert "--new-token" in refused.stderr
    assert run("bridge", "--new-token", "--show-token").exit_code == 0


def test_a_port_that_cannot_be_had_is_one_sentence(run: Run, vault: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("bridge", "--port", str(port))

    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == (
        f"nightloom: Port {port} is taken by another program; name another one with --port.\n"
    )
    for port in (80, 65536, -1):
        assert run("bridge", "--port", str(port)).exit_code == ExitCode.USAGE


@contextmanager
def running_bridge(home: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process, and the address that it names."""
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "bridge", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=SOURCES,
        env={**os.environ, "NIGHTLOOM_HOME": str(home)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None
        assert "nightloom bridge --show-token" in process.stdout.readline()
        yield process, address[0]
    finally:
        process.kill()
        process.communicate()


def test_a_program_that_knows_only_tcp_is_answered_until_ctrl_c(home: Path, vault: Path) -> None:
    with (
        house(home / "run", answer=saying("They ", "sleep.")),
        running_bridge(home) as (process, address),
        openai.OpenAI(
            base_url=address,
            api_key=read_token(home / "bridge.token").text,
            max_retries=0,
            timeout=SOON_SECONDS,
        ) as client,
    ):
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "And bees?"}]
        answer = client.chat.completions.create(model="personal", messages=messages)
        assert answer.choices[0].message.content == "They sleep."
        pieces = client.chat.completions.create(model="personal", messages=messages, stream=True)
        assert "".join(each.choices[0].delta.content or "" for each in pieces) == "They sleep."
        assert {model.id for model in client.models.list()} == {"base", "personal"}
        with (
            client.with_options(api_key="-") as stranger,
            pytest.raises(openai.AuthenticationError, match="--show-token"),
        ):
            stranger.models.list()
        if sys.platform == "linux":
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert "Seccomp:\t2" in status, "it could still open a socket to the network"
            assert "Name:\tnightloom-bridg\n" in status

        process.send_signal(signal.SIGINT)

        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can deny a process its network")
def test_once_its_port_is_open_it_can_open_nothing_else() -> None:
    code = """
import socket
from daemon.confinement import confine_bridge, network_is_denied
from ipc.loopback import listen
(door,) = listen(0)
guest = socket.socket()
confine_bridge()
guest.connect(door.getsockname())
connection, _ = door.accept()
connection.sendall(b"honey")
print(guest.recv(9).decode(), network_is_denied())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCES
    )

    assert done.stdout == "honey True\n"


def test_a_purge_takes_the_token_along(home: Path, vault: Path, run: Run) -> None:
    run("bridge", "--show-token")
    assert (home / "bridge.token").exists()

    purge(Home.under(home), ())

    assert list(home.parent.glob(home.name)) == []
    home.mkdir()  # the fixture removes it


# --------------------------------------------------------------------------- its unit


def test_its_unit_names_a_port_and_is_right_in_systemds_eyes(tmp_path: Path) -> None:
    command = tmp_path / "nightloom"
    command.touch(mode=0o755)
    (tmp_path / BRIDGE).write_text(bridge_unit(command, port=8484))
    assert f'ExecStart="{command}" bridge --port 8484\n' in (tmp_path / BRIDGE).read_text()
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C"}

    done = subprocess.run(
        [tool, "--user", "--man=no", "verify", f"./{BRIDGE}"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
