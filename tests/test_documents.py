"""The documents say what the code does: modules, settings, states, codes, commands, examples."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from daemon import config, night_record
from daemon.cli.exits import ExitCode
from daemon.cli.root import nightloom
from daemon.collecting.skipping import SkipReason
from tests.ipc.serving import house, saying
from trainer import gate

ROOT = Path(__file__).parents[1]
PACKAGES = ("daemon", "ipc", "storage", "trainer")
DOCUMENTS = ("README.md", *(f"{folder}/README.md" for folder in (*PACKAGES, "packaging")))


def text_of(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def table(document: str, *headings: str) -> list[list[str]]:
    """The cells of the one table with these headings, without the quotes of code."""
    lines = iter(text_of(document).splitlines())
    for line in lines:
        if _cells(line) == list(headings):
            next(lines)  # the rule below the headings
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append([cell.replace("`", "") for cell in _cells(row)])
            return rows
    raise AssertionError(f"{document} has no table {headings}")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def modules(package: str) -> set[str]:
    folder = ROOT / package
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if path.name != "__init__.py"
    }


# --------------------------------------------------------------------------- modules


def mapped() -> dict[str, list[str]]:
    """The map of the modules in the README: folder, its files."""
    found: dict[str, list[str]] = {}
    folder = ""
    for line in text_of("README.md").partition("## Map of the modules")[2].splitlines():
        if heading := re.match(r"(\w+)/ {2,}\S", line):
            folder = heading[1]
            found[folder] = []
        elif file := re.match(r" {2}([\w/]+\.py) +\S", line):
            found[folder].append(file[1])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_names_every_module_once_and_none_that_is_not_there(package: str) -> None:
    assert sorted(mapped()[package]) == sorted(modules(package))


@pytest.mark.parametrize("package", ["daemon", "ipc", "storage"])
def test_the_readme_of_a_folder_names_every_module_and_none_that_is_not_there(
    package: str,
) -> None:
    named = {
        Path(name).name
        for row in _rows(package)
        for name in re.findall(r"[\w/]+\.py", row[0])
    }  # fmt: skip

    assert named == {Path(name).name for name in modules(package)}


def _rows(package: str) -> Iterator[list[str]]:
    for line in text_of(f"{package}/README.md").splitlines():
        if line.startswith("|") and ".py`" in _cells(line)[0]:
            yield _cells(line)


# --------------------------------------------------------------------------- settings, states


def documented_setting(section: str, each: "dataclasses.Field[Any]") -> list[str]:
    """The first cells of a setting's row, as config.py has it."""
    rule = each.metadata["rule"]
    if isinstance(rule, config._Number):
        values = f"{_plain(rule.low)} to {_plain(rule.high)}"
    elif isinstance(rule, config._Word):
        values = ", ".join(rule.choices) or "text"
    elif isinstance(rule, config._YesNo):
        values = "true, false"
    else:
        values = "hours"
    default = each.default
    shown = "-" if default is None else default
    shown = str(shown).lower() if isinstance(shown, bool) else shown
    return [section, each.name, _plain(shown) if _is_number(shown) else str(shown), values]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _plain(number: Any) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def test_every_setting_is_documented_with_its_default_and_its_values() -> None:
    in_code = [
        documented_setting(section, each)
        for section, kind in config._SECTIONS.items()
        for each in dataclasses.fields(kind)
    ]

    rows = table("daemon/README.md", "section", "setting", "default", "values", "is")
    assert [row[:4] for row in rows] == in_code
    assert all(row[4] for row in rows)


def test_the_example_of_a_configuration_has_no_mistakes() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", text_of("daemon/README.md"), re.DOTALL)

    assert config.parse_config(example) != config.Config()


def test_the_states_of_a_night_are_documented_with_all_their_transitions() -> None:
    rows = table("daemon/README.md", "state", "is", "can become")

    documented = {row[0]: set(row[2].split(", ")) - {"-"} for row in rows}
    assert documented == {
        state.value: {after.value for after in followers}
        for state, followers in night_record.TRANSITIONS.items()
    }


def test_every_reason_to_leave_out_a_file_is_documented() -> None:
    rows = table("daemon/README.md", "reason", "means")

    assert [row[0] for row in rows] == [reason.value for reason in SkipReason]


def test_the_presets_of_a_night_are_documented_as_they_are() -> None:
    from trainer.recipe import guanaco, personal  # with torch, so not for all tests here

    recipes = (personal(16_000_000), guanaco(7_000_000_000))
    rows = table("trainer/README.md", "", "personal", "guanaco")
    assert [row[1:] for row in rows if row[0] != "scaled by"] == [
        [_plain(value) for value in values]
        for values in (
            [recipe.lora.rank for recipe in recipes],
            [recipe.lora.alpha for recipe in recipes],
            [recipe.lora.dropout for recipe in recipes],
            [recipe.finetune.learning_rate for recipe in recipes],
            [recipe.finetune.warmup_steps for recipe in recipes],
            [recipe.finetune.rate_at_end for recipe in recipes],
            [recipe.finetune.rows_per_step for recipe in recipes],
            [recipe.row_tokens for recipe in recipes],
            [recipe.passes for recipe in recipes],
            [recipe.shares.replay for recipe in recipes],
            [recipe.shares.general for recipe in recipes],
            [recipe.finetune.general_weight for recipe in recipes],
            [recipe.canaries for recipe in recipes],
            [recipe.general_budget for recipe in recipes],
        )
    ]
    assert [recipe.lora.rslora for recipe in recipes] == [True, False]


def test_every_reason_of_the_gate_is_documented() -> None:
    evidence = gate.Evidence(
        sha256="0" * 64,
        held_out=(),
        stable=(),
        general_loss_base=1.0,
        general_loss_before=1.0,
        general_loss_after=1.0,
        canaries_planted=0,
        canaries_extracted=0,
        smoke=gate.Smoke(tokens=0, distinct_tokens=0, undecodable=False),
    )
    policy = gate.GatePolicy()
    reasons = [rule[0] for rule in gate._rules(evidence, gate.measure(evidence, policy), policy)]

    assert [row[0] for row in table("trainer/README.md", "reason", "admitted only if")] == reasons


@pytest.mark.parametrize("document", ["README.md", "daemon/README.md"])
def test_every_exit_code_is_documented(document: str) -> None:
    rows = table(document, "code", "means")

    assert [int(row[0]) for row in rows] == [code.value for code in ExitCode]


# --------------------------------------------------------------------------- commands, examples


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_the_documents_exists(document: str) -> None:
    for words in re.findall(r"\bnightloom((?: [a-z][a-z-]*)+)", code_in(text_of(document))):
        assert_is_a_command(words.split())


def code_in(text: str) -> str:
    """What stands in code quotes and, comments aside, in shell blocks."""
    blocks = [
        re.sub(r"#.*", "", block) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    ]
    return "\n".join([*blocks, *re.findall(r"`(nightloom [^`]+)`", text)])


def assert_is_a_command(words: list[str]) -> None:
    """Follows the words through the groups of commands; raises where one is not known."""
    command: click.Command = nightloom
    for word in words:
        if not isinstance(command, click.Group):
            return  # the rest are arguments
        assert word in command.commands, f"there is no command {' '.join(words)}"
        command = command.commands[word]


def test_an_invented_command_would_be_found() -> None:
    with pytest.raises(AssertionError, match="no command privacy invent"):
        assert_is_a_command(["privacy", "invent"])


def test_the_example_for_openai_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", text_of("README.md"), re.DOTALL)
    monkeypatch.setenv("NIGHTLOOM_HOME", str(tmp_path))

    with house(tmp_path / "run", answer=saying("The damsons ", "flowered early.")):
        exec(compile(example, "README.md", "exec"), {})

    assert capsys.readouterr().out == "The damsons flowered early.\n"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_the_documents_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text_of(document)):
        assert (folder / target).exists(), f"{document} links to {target}"


@pytest.mark.parametrize("document", [*DOCUMENTS, "packaging/CHANGELOG.md"])
def test_documents_name_no_place_of_one_machine(document: str) -> None:
    assert re.findall(r"(?<![\w.~])/(?:work|root)\b|\.\./shared", text_of(document)) == []
