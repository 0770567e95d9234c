"""`nightloom key ...`: what is shown of the slots, what is asked for, what is never shown."""

import json
from pathlib import Path

import pytest

from ipc.errors import OperationError
from ipc.given_secret import GivenSecret
from storage.keys import RecoveryKey
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_keys import RECOVERY_KEY, ROTATED, SLOTS
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open

WORDS, NEW_WORDS = "nine brown teapots", "ten green bottles"


def private_file(folder: Path, text: str) -> Path:
    file = folder / f"file {len(text)}"
    file.touch(mode=0o600)
    file.write_text(text)
    return file


# --------------------------------------------------------------------------- list


def test_each_slot_says_whom_it_stops_and_whether_it_opens_by_itself(
    service: FakeAdmin, run: Run
) -> None:
    shown = run("key", "list").stdout

    assert "keyring: opens by itself" in shown
    assert "stops          a stolen disk" in shown
    assert "does not stop  programs that run as you" in shown
    assert "recovery key: opens when you give it" in shown
    assert "nights wait" not in shown


def test_without_an_unattended_slot_the_list_says_what_that_means_for_nights(
    service: FakeAdmin, run: Run
) -> None:
    service.keys.slot_list = SLOTS[1:]
    assert "nights wait for `nightloom unlock`" in run("key", "list").stdout


def test_a_warning_about_all_slots_is_shown_once(service: FakeAdmin, run: Run) -> None:
    service.keys.slot_list = [{**slot, "warning": "nothing but this machine"} for slot in SLOTS]
    assert run("key", "list").stdout.count("nothing but this machine") == 1


def test_the_list_for_programs_has_all_facts(service: FakeAdmin, run: Run) -> None:
    assert json.loads(run("key", "list", "--json").stdout) == SLOTS


# --------------------------------------------------------------------------- add


def test_adding_a_slot_asks_again_for_a_secret_which_goes_in_the_body(
    service: FakeAdmin, run: Run, tmp_path: Path
) -> None:
    result = run("key", "add", "keyring", "--passphrase-file", str(private_file(tmp_path, WORDS)))

    assert result.exit_code == 0
    assert service.keys.secrets == [GivenSecret(kind="passphrase", text=WORDS)]
    assert service.keys.asked == [("add_slot", {"kind": "keyring", "new_passphrase": None})]
    assert WORDS not in result.output


def test_a_new_passphrase_is_read_from_its_own_file(
    service: FakeAdmin, run: Run, tmp_path: Path
) -> None:
    key = RecoveryKey.generate().printed()
    result = run(
        "key", "add", "passphrase",
        "--recovery-key-file", str(private_file(tmp_path, key)),
        "--new-passphrase-file", str(private_file(tmp_path, NEW_WORDS)),
    )  # fmt: skip

    assert result.exit_code == 0
    assert service.keys.secrets == [GivenSecret(kind="recovery_key", text=key)]
    assert service.keys.asked[-1][1]["new_passphrase"] == NEW_WORDS
    assert NEW_WORDS not in result.output


def test_a_new_recovery_key_is_shown_once(service: FakeAdmin, run: Run, tmp_path: Path) -> None:
    result = run("key", "add", "recovery", "--passphrase-file", str(private_file(tmp_path, WORDS)))

    assert result.stdout.count(RECOVERY_KEY) == 1
    assert "shown only now" in result.stdout
    assert result.stderr == ""


def test_on_a_terminal_the_present_secret_and_the_new_one_are_typed(
    service: FakeAdmin, terminal: Open
) -> None:
    service.keys.slot_list = [{**SLOTS[0], "kind": "passphrase"}]
    person = terminal("key", "add", "passphrase")
    person.wait_for("Passphrase")
    person.type(WORDS)
    person.wait_for("New passphrase")
    person.type(NEW_WORDS)
    person.wait_for("The same again")
    person.type(NEW_WORDS)

    assert person.end() == 0
    assert service.keys.secrets == [GivenSecret(kind="passphrase", text=WORDS)]
    assert service.keys.asked[-1][1]["new_passphrase"] == NEW_WORDS
    assert WORDS not in person.shown
    assert NEW_WORDS not in person.shown


def test_without_terminal_and_files_the_ways_to_give_a_secret_are_named(
    service: FakeAdmin, run: Run
) -> None:
    result = run("key", "add", "keyring")  # the fake has a recovery slot and no passphrase
    assert result.exit_code == 2
    assert "--recovery-key-file" in result.stderr


def test_an_unknown_kind_of_slot_is_usage(service: FakeAdmin, run: Run) -> None:
    assert run("key", "add", "floppy").exit_code == 2


# --------------------------------------------------------------------------- remove


def test_removing_asks_first(service: FakeAdmin, terminal: Open) -> None:
    person = terminal("key", "remove", "recovery")
    person.wait_for("recovery key slot open the vault no more?")
    person.type("n")
    assert person.end() == 1
    assert service.keys.asked == []


def test_scripts_say_yes_and_rotation_is_advised(service: FakeAdmin, run: Run) -> None:
    assert run("key", "remove", "recovery").exit_code == 2

    result = run("key", "remove", "recovery", "--yes")

    assert result.exit_code == 0
    assert "left: keyring" in result.stdout
    assert "rotate" in result.stdout
    assert service.keys.asked == [("remove_slot", {"kind": "recovery"})]


def test_the_last_slot_is_refused_with_5(service: FakeAdmin, run: Run) -> None:
    service.keys.refusals = [OperationError("refused", "The keyring slot is the last one.")]
    assert run("key", "remove", "keyring", "--yes").exit_code == 5


# --------------------------------------------------------------------------- rotate


def test_rotation_says_what_it_did(service: FakeAdmin, run: Run) -> None:
    result = run("key", "rotate")

    assert result.exit_code == 0
    assert "root 2, epoch 3" in result.stdout
    assert "1,234 data keys" in result.stdout
    assert "did not open" not in result.stdout


def test_rotation_tells_of_keys_that_did_not_open(service: FakeAdmin, run: Run) -> None:
    service.keys.rotation = [{"rotated": {**ROTATED, "damaged": 2}}]
    assert "2 data keys did not open before either" in run("key", "rotate").stdout


def test_for_programs_rotation_is_one_object_a_line(service: FakeAdmin, run: Run) -> None:
    lines = [json.loads(line) for line in run("key", "rotate", "--json").stdout.splitlines()]
    assert lines == service.keys.rotation


def test_a_rotation_without_an_end_is_no_success(service: FakeAdmin, run: Run) -> None:
    service.keys.rotation = service.keys.rotation[:1]
    result = run("key", "rotate")
    assert result.exit_code == 1
    assert "Nothing was heard" in result.stderr


@pytest.mark.parametrize("words", [("list",), ("rotate",), ("remove", "keyring", "--yes")])
def test_a_locked_vault_exits_with_3(service: FakeAdmin, run: Run, words: tuple[str, ...]) -> None:
    service.keys.refusals = [OperationError("locked", "The vault is locked.")]
    result = run("key", *words)
    assert (result.exit_code, result.stdout) == (3, "")
