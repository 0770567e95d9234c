"""Whatever goes wrong leaves as one sentence on stderr with the exit code of the table."""

import importlib
import inspect
from types import ModuleType

import click
import pytest

from daemon import errors as service_errors
from daemon.adding import errors as adding_errors
from daemon.cli import errors as command_errors
from daemon.cli.exits import TABLE, ExitCode, exit_code
from daemon.cli.root import nightloom
from ipc import errors as ipc_errors
from ipc.errors import OperationCode, OperationError
from storage import errors as storage_errors
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin

ASKING_VERBS = [
    ["status"],
    ["why"],
    ["privacy", "sources", "list"],
    ["privacy", "sources", "add", "."],
    ["privacy", "sources", "remove", "x"],
    ["privacy", "preview"],
    ["privacy", "rescan"],
    ["night", "run", "--now"],
    ["night", "log"],
    ["adapters", "list"],
    ["adapters", "use", "x"],
    ["adapters", "rollback"],
    ["base", "list"],
]


def name_of(verb: list[str]) -> str:
    return " ".join(verb)


def is_one_sentence(stderr: str) -> bool:
    return stderr.startswith("nightloom: ") and stderr.endswith(".\n") and stderr.count("\n") == 1


@pytest.mark.parametrize("verb", [*ASKING_VERBS, ["chat", "-m", "hello"]], ids=name_of)
def test_without_a_service_every_verb_says_so_and_exits_with_4(run: Run, verb: list[str]) -> None:
    result = run(*verb)

    assert (result.exit_code, result.stdout) == (4, "")
    assert is_one_sentence(result.stderr)
    assert "nightloom run" in result.stderr


@pytest.mark.parametrize("verb", ASKING_VERBS, ids=name_of)
def test_a_locked_vault_is_exit_code_3_for_every_verb(
    run: Run, service: FakeAdmin, verb: list[str]
) -> None:
    service.refusal = OperationError("locked", "The vault is locked; give the passphrase.")

    result = run(*verb)

    assert (result.exit_code, result.stdout) == (3, "")
    assert is_one_sentence(result.stderr)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("failed", 1), ("usage", 2), ("locked", 3), ("not_running", 4), ("refused", 5)],
)
def test_each_code_of_the_service_is_an_exit_code(
    run: Run, service: FakeAdmin, code: OperationCode, expected: int
) -> None:
    service.refusal = OperationError(code, "That cannot be; try something else.")

    result = run("status", "--json")

    assert (result.exit_code, result.stdout) == (expected, "")
    assert result.stderr == "nightloom: That cannot be; try something else.\n"


@pytest.mark.parametrize(
    "words",
    [
        ["stauts"],
        ["status", "--jsno"],
        ["night", "log", "none"],
        ["night", "log", "0"],
        ["privacy", "sources", "add"],
        ["privacy", "sources", "add", ".", "--kind", "mailbox"],
        ["adapters", "use"],
    ],
    ids=name_of,
)
def test_a_mistyped_command_is_one_sentence_that_points_to_help(run: Run, words: list[str]) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert is_one_sentence(result.stderr)
    assert "--help" in result.stderr


def test_forgotten_quotes_do_not_repeat_what_was_typed(run: Run) -> None:
    result = run("chat", "-m", "my", "secret", "words")

    assert result.exit_code == 2
    assert "secret" not in result.stderr
    assert "quotes" in result.stderr


def test_a_defect_names_its_place_and_not_its_message(
    run: Run, service: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: object) -> None:
        raise ValueError("the user's diary")

    monkeypatch.setattr("ipc.client.AdminClient.status", broken)

    result = run("status")

    assert result.exit_code == 1
    assert "diary" not in result.stderr
    assert "ValueError at test_errors.py:" in result.stderr


@pytest.mark.parametrize(
    "module", [adding_errors, command_errors, ipc_errors, service_errors, storage_errors]
)
def test_every_error_has_a_row_in_the_table(module: ModuleType) -> None:
    unplaced = [
        name
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception)
        and kind.__module__ == module.__name__
        and kind is not OperationError
        and not any(issubclass(kind, row.error) for row in TABLE)
    ]

    assert unplaced == []


def test_the_command_s_own_errors_are_one_sentence_each() -> None:
    for name, kind in inspect.getmembers(command_errors, inspect.isclass):
        said = str(kind())
        assert said.endswith("."), name
        assert "\n" not in said, name
        assert ". " not in said, name


@pytest.mark.parametrize(
    ("kind", "facts", "code"),
    [
        (adding_errors.OnlyPickles, ("x.bin",), 5),
        (adding_errors.BaseRefused, ("It would run code.",), 5),
        (adding_errors.NameTaken, ("x",), 5),
        (adding_errors.LicenceNotAccepted, ("mit", "mit"), 5),
        (adding_errors.NotAFolder, (), 2),
        (adding_errors.SourceInvalid, (), 2),
        (adding_errors.NoRoom, ("1 GB", "1 GB", "0 GB", "0 GB"), 1),
        (adding_errors.DownloadCorrupted, ("x",), 1),
        (adding_errors.RepositoryClosed, ("a/b",), 1),
    ],
)
def test_what_a_base_is_refused_for_is_told_from_what_failed(
    kind: type[Exception], facts: tuple[str, ...], code: int
) -> None:
    assert exit_code(kind(*facts)) == code


def test_exit_codes_are_those_of_the_design() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5]
    assert exit_code(storage_errors.WrongSecret(slot="passphrase")) == ExitCode.LOCKED
    assert exit_code(storage_errors.VaultTooNew(found=2, known=1)) == ExitCode.FAILED
    assert exit_code(ipc_errors.ServiceAlreadyRunning(7)) == ExitCode.REFUSED


def commands_below(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands_below(command, (*path, name))
    return found


@pytest.mark.parametrize("path", [(), *commands_below(nightloom)], ids=name_of)
def test_every_command_explains_itself_and_each_of_its_options(
    run: Run, path: tuple[str, ...]
) -> None:
    result = run(*path, "--help")

    assert result.exit_code == 0
    command: click.Command = nightloom
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert command.help is not None
    assert command.help.split(".")[0].replace("\n", " ") in " ".join(result.stdout.split())
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_version_is_the_distribution_s(run: Run) -> None:
    import tomllib
    from pathlib import Path

    project = Path(importlib.import_module("daemon").__file__ or "").parents[1] / "pyproject.toml"
    declared = tomllib.loads(project.read_text("utf-8"))["project"]["version"]

    result = run("--version")

    assert (result.exit_code, result.stdout) == (0, f"nightloom {declared}\n")
