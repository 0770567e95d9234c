"""The systemd-creds slot: real where systemd is new enough, and said so where it is not.

Where there is no systemd 256 a stand-in program takes its place: it keeps to the command line and
the streams of systemd-creds(1), and shows what it was given.
"""

import json
import sys
from pathlib import Path

import pytest

from storage.errors import KeeperUnavailable, NoSlotOpens
from storage.slots import read_slots
from storage.systemd_keeper import SystemdKeeper, found_program, version_in
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE

VAULT_ID = bytes(range(16))
PRIVATE = bytes(range(100, 132))

STAND_IN = """#!{python}
import base64, json, os, pathlib, sys
arguments, version = sys.argv[1:], {version}
if arguments == ["--version"]:
    print(f"systemd {{version}} ({{version}}.1-1)")
    print("+PAM +AUDIT")
    sys.exit(0)
given = sys.stdin.buffer.read()
note = pathlib.Path({note!r})
said = json.dumps([arguments, len(given), os.getsid(0) == os.getpid()])
note.write_text(note.read_text() + said + "\\n")
user, name, verb, source, target = arguments
assert (user, source, target) == ("--user", "-", "-")
name = name.removeprefix("--name=").encode()
mask = bytes(range(32))
if verb == "encrypt":
    sealed = base64.b64encode(name + b"|" + bytes(a ^ b for a, b in zip(given, mask))).decode()
    print(sealed[:40])
    print(sealed[40:])
else:
    bound, _, body = base64.b64decode(given, validate=True).partition(b"|")
    if bound != name:
        sys.exit("Embedded credential name does not match")
    sys.stdout.buffer.write(bytes(a ^ b for a, b in zip(body, mask)))
"""


class StandIn:
    def __init__(self, folder: Path, version: int) -> None:
        self._note = folder / "note"
        self._note.write_text("")
        self.program = folder / "systemd-creds"
        self.program.write_text(
            STAND_IN.format(python=sys.executable, version=version, note=str(self._note))
        )
        self.program.chmod(0o700)

    def calls(self) -> list[tuple[list[str], int, bool]]:
        return [tuple(json.loads(line)) for line in self._note.read_text().splitlines()]


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path, version=256)


def test_a_vault_opens_unattended_by_its_credential(stand_in: StandIn, folder: Path) -> None:
    keeper = SystemdKeeper(stand_in.program)
    assert keeper.problem() is None
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, keeper=keeper, argon2=FAST)
    with vault:
        vault.rotate()

    with Vault.open_unattended(folder, [SystemdKeeper(stand_in.program)]) as again:
        assert [slot.kind for slot in again.slots()] == ["passphrase", "recovery", "systemd-creds"]


def test_the_key_goes_through_pipes_and_the_name_is_the_vaults(stand_in: StandIn) -> None:
    keeper = SystemdKeeper(stand_in.program)

    facts = keeper.keep(VAULT_ID, PRIVATE)

    name = f"--name=nightloom-{VAULT_ID.hex()}"
    (encrypt, given, own_session), (decrypt, _, _) = stand_in.calls()
    assert encrypt == ["--user", name, "encrypt", "-", "-"]
    assert decrypt == ["--user", name, "decrypt", "-", "-"]
    assert given == len(PRIVATE)
    assert own_session  # no terminal to ask on
    assert set(facts) == {"credential"}
    assert "\n" not in facts["credential"]
    assert PRIVATE.hex() not in json.dumps(facts)


def test_another_vaults_credential_is_refused(stand_in: StandIn) -> None:
    keeper = SystemdKeeper(stand_in.program)
    facts = keeper.keep(VAULT_ID, PRIVATE)

    assert keeper.fetch(VAULT_ID, facts) == PRIVATE
    with pytest.raises(KeeperUnavailable, match="systemd-creds refused"):
        keeper.fetch(bytes(16), facts)


@pytest.mark.parametrize(
    "facts",
    [{}, {"credential": 7}, {"credential": ""}, {"credential": "no base64!"},
     {"credential": "A" * 100_000}],
)  # fmt: skip
def test_a_credential_of_another_shape_is_not_given_to_anybody(
    stand_in: StandIn, facts: dict[str, object]
) -> None:
    with pytest.raises(KeeperUnavailable, match="not complete"):
        SystemdKeeper(stand_in.program).fetch(VAULT_ID, facts)
    assert stand_in.calls() == []


def test_a_systemd_that_is_too_old_says_so(tmp_path: Path, folder: Path) -> None:
    keeper = SystemdKeeper(StandIn(tmp_path, version=255).program)

    assert keeper.problem() == "it needs systemd 256 or later, and this is 255"
    with pytest.raises(KeeperUnavailable, match="needs systemd 256 or later, and this is 255"):
        Vault.create(folder, passphrase=None, keeper=keeper)
    assert not folder.exists()


def test_a_machine_that_lost_its_systemd_says_so(
    stand_in: StandIn, folder: Path, tmp_path: Path
) -> None:
    keeper = SystemdKeeper(stand_in.program)
    vault, _ = Vault.create(folder, passphrase=None, keeper=keeper)
    vault.close()

    with pytest.raises(NoSlotOpens, match="this machine has no systemd-creds"):
        Vault.open_unattended(folder, [SystemdKeeper(tmp_path / "gone")])


def test_a_program_that_says_something_else_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "other"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    assert SystemdKeeper(program).problem() == "systemd-creds refused"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("systemd 257 (257.5-2)\n+PAM", 257),
        ("systemd 256 (256~rc3)", 256),
        ("systemd 252", 252),
        ("systemd", None),
        ("", None),
        ("systemd 2560000000", None),
    ],
)
def test_versions_are_read(said: str, version: int | None) -> None:
    assert version_in(said) == version


def test_this_machines_systemd_is_used_or_the_reason_is_said(folder: Path) -> None:
    keeper = SystemdKeeper()
    problem = keeper.problem()
    if problem is not None:
        assert "systemd" in problem
        pytest.skip(problem)
    try:
        facts = keeper.keep(VAULT_ID, PRIVATE)
    except KeeperUnavailable as error:
        pytest.skip(f"{found_program()} of this machine does not work: {error}")

    assert keeper.fetch(VAULT_ID, facts) == PRIVATE
    with pytest.raises(KeeperUnavailable):
        keeper.fetch(bytes(16), facts)
    vault, _ = Vault.create(folder, passphrase=None, keeper=keeper)
    vault.close()
    assert read_slots(folder / "slots.json").slot("systemd-creds").facts
    Vault.open_unattended(folder, [keeper]).close()
