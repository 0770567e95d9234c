"""`nightloom base use`, `remove` and `list --recommended`: what they change and what they say."""

import json
import shutil
from pathlib import Path

import pytest

from daemon.cli.base_changes import _used_text
from daemon.config import load_config
from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open
from trainer.base_format import read_facts
from trainer.builtin_base import BUILTIN_BASE

IDENTITY = read_facts(BUILTIN_BASE).identity


@pytest.fixture
def mine(home: Path) -> Path:
    """An added base named `mine`."""
    folder = home / "bases" / "mine"
    folder.mkdir(parents=True)
    shutil.copy(BUILTIN_BASE / "nightloom.json", folder)
    return folder


def adapter(sha256: str, base: str) -> dict[str, object]:
    return fake_service.ADAPTER | {"sha256": sha256, "base": base}


# --------------------------------------------------------------------------- use


def test_use_changes_the_configuration_and_nothing_else_in_it(
    run: Run, home: Path, mine: Path
) -> None:
    config = home / "config.toml"
    config.write_text("# mine\n[engine]\nthreads = 2 # of 4\n")

    result = run("base", "use", "mine")

    assert result.exit_code == 0
    assert load_config(config).engine.base == "mine"
    assert config.read_text() == '# mine\n[engine]\nbase = "mine"\nthreads = 2 # of 4\n'
    assert "is used from the next `nightloom run` on" in result.stdout
    assert "until a night has learned again from the vault" in result.stdout


def test_use_makes_a_configuration_where_there_is_none_for_the_user_alone(
    run: Run, home: Path, mine: Path
) -> None:
    assert run("base", "use", "mine").exit_code == 0

    assert load_config(home / "config.toml").engine.base == "mine"
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600


def test_a_configuration_behind_a_link_stays_behind_it(
    run: Run, home: Path, mine: Path, tmp_path: Path
) -> None:
    (tmp_path / "dotfile").write_text("")
    (home / "config.toml").symlink_to(tmp_path / "dotfile")

    assert run("base", "use", "mine").exit_code == 0

    assert (home / "config.toml").is_symlink()
    assert load_config(tmp_path / "dotfile").engine.base == "mine"


def test_use_says_that_a_running_service_has_to_be_started_again(
    run: Run, service: FakeAdmin, mine: Path
) -> None:
    service.adapter_list = [adapter("a" * 64, IDENTITY), adapter("b" * 64, "other")]

    result = run("base", "use", "mine", "--json")

    assert json.loads(result.stdout) == {
        "name": "mine", "identity": IDENTITY, "changed": True, "restart_needed": True,
        "adapters": 1, "other_adapters": 1,
    }  # fmt: skip
    said = run("base", "use", "mine").stdout
    assert said == "Base mine is used when the service is started again (`nightloom run`).\n"


def test_choosing_what_is_chosen_changes_nothing(run: Run, home: Path, service: FakeAdmin) -> None:
    result = run("base", "use", "builtin")

    assert result.stdout == "Base builtin is the one in use.\n"
    assert not (home / "config.toml").exists()


def test_a_base_that_is_not_there_or_broken_is_not_chosen(run: Run, home: Path, mine: Path) -> None:
    (mine / "nightloom.json").write_text("{}")

    assert "no base with this name" in run("base", "use", "bee").stderr
    broken = run("base", "use", "mine")

    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "not chosen: The base file nightloom.json is damaged" in broken.stderr
    assert not (home / "config.toml").exists()


def test_a_configuration_with_mistakes_is_shown_and_not_written(
    run: Run, home: Path, mine: Path
) -> None:
    (home / "config.toml").write_text("[engine]\nthreads = 'many'\n")

    result = run("base", "use", "mine")

    assert result.exit_code == 2
    assert "line 2: 'threads' in [engine] has to be a whole number" in result.stderr
    assert (home / "config.toml").read_text() == "[engine]\nthreads = 'many'\n"


def test_where_no_other_base_was_learned_on_nothing_is_said_of_it() -> None:
    answer = {"name": "x", "changed": True, "restart_needed": True, "adapters": 1,
              "other_adapters": 0}  # fmt: skip

    assert "learned" not in _used_text(answer)
    assert "(2 adapters)" in _used_text(answer | {"other_adapters": 2})


# --------------------------------------------------------------------------- remove


def test_remove_deletes_and_says_how_much(run: Run, mine: Path) -> None:
    result = run("base", "remove", "mine", "--yes")

    assert result.exit_code == 0
    assert "Base mine is gone; " in result.stdout
    assert not mine.exists()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_remove_asks_with_the_size_and_the_adapters_that_need_it(
    service: FakeAdmin, mine: Path, terminal: Open, answer: str, code: int
) -> None:
    service.adapter_list = [adapter("a" * 64, IDENTITY), adapter("b" * 64, "other")]

    asked = terminal("base", "remove", "mine")
    asked.wait_for("kB. 1 adapter cannot answer without it: aaaaaaaaaaaa. Delete it?")
    asked.type(answer)

    assert asked.end() == code
    assert mine.exists() == (answer == "n")


def test_without_a_terminal_remove_does_not_guess(run: Run, mine: Path) -> None:
    result = run("base", "remove", "mine")

    assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    assert mine.exists()


def test_without_a_service_remove_says_what_cannot_be_seen(mine: Path, terminal: Open) -> None:
    asked = terminal("base", "remove", "mine")

    asked.wait_for("cannot be seen, because the service does not run. Delete it?")
    asked.type("")
    assert asked.end() == 1


def test_remove_as_json_names_the_adapters_that_needed_it(
    run: Run, service: FakeAdmin, mine: Path
) -> None:
    service.adapter_list = [adapter("a" * 64, IDENTITY), adapter("b" * 64, "other")]

    answer = json.loads(run("base", "remove", "mine", "--yes", "--json").stdout)

    assert answer["adapters"] == ["a" * 64]
    assert answer["freed_bytes"] > 0


def test_the_built_in_base_is_not_removed(run: Run) -> None:
    result = run("base", "remove", "builtin", "--yes")

    assert (result.exit_code, "belongs to the package" in result.stderr) == (5, True)


def test_the_configured_base_is_not_removed(run: Run, home: Path, mine: Path) -> None:
    (home / "config.toml").write_text('[engine]\nbase = "mine"\n')

    result = run("base", "remove", "mine", "--yes")

    assert (result.exit_code, "the one in use" in result.stderr) == (5, True)
    assert mine.exists()


def test_the_base_of_a_running_service_is_not_removed(
    run: Run, service: FakeAdmin, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fake_service.STATUS, "base", "mine")

    assert run("base", "remove", "mine", "--yes").exit_code == 5
    assert mine.exists()


def test_an_unknown_base_cannot_be_removed(run: Run) -> None:
    result = run("base", "remove", "../vault", "--yes")

    assert (result.exit_code, "no base with this name" in result.stderr) == (1, True)


# --------------------------------------------------------------------------- list --recommended


@pytest.mark.usefixtures("measured")
def test_recommendations_need_no_service_and_say_what_is_here(
    run: Run, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.base_recommended.machine_bytes", lambda: 6_000_000_000)
    facts = json.loads((mine / "nightloom.json").read_text())
    facts["origin"] = f"hub:Qwen/Qwen3-1.7B@{'c' * 40}"
    (mine / "nightloom.json").write_text(json.dumps(facts))

    answer = json.loads(run("base", "list", "--recommended", "--json").stdout)

    assert answer["machine_bytes"] == 6_000_000_000
    by_id = {one["id"]: one for one in answer["bases"]}
    assert by_id["Qwen/Qwen3-1.7B"]["added_as"] == "mine"
    chosen = by_id["Qwen/Qwen2.5-1.5B-Instruct"]
    assert (chosen["recommended"], chosen["trains_here"], chosen["added_as"]) == (True, True, None)
    large = by_id["Qwen/Qwen2.5-7B-Instruct"]
    assert (large["serves_here"], large["trains_here"]) == (False, False)
    said = run("base", "list", "--recommended").stdout
    assert "Recommended here: `nightloom base add Qwen/Qwen2.5-1.5B-Instruct`." in said
    assert "added as mine" in said


@pytest.mark.usefixtures("measured")
def test_a_machine_that_is_too_small_is_told_what_it_has(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.base_recommended.machine_bytes", lambda: 500_000_000)

    said = run("base", "list", "--recommended").stdout

    assert "None of these can be trained here; the built-in base can." in said
    assert "This machine has 500 MB" in said


# --------------------------------------------------------------------------- add, without network


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["./nowhere"], 2, "nothing at this path"),
        (["config"], 2, "an id is OWNER/NAME"),
        (["Owner/Name", "--name", "../x"], 2, "no name for a base"),
        (["Owner/Name", "--name", "builtin"], 2, "no name for a base"),
        (["Owner/Name", "--revision", "../x"], 1, "has no revision of that name"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_asked(
    run: Run, words: list[str], code: int, said: str
) -> None:
    result = run("base", "add", *words)

    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_a_revision_of_a_folder_is_a_mistake(run: Run, tmp_path: Path) -> None:
    result = run("base", "add", str(tmp_path), "--name", "x", "--revision", "main")

    assert result.exit_code == 2
    assert "this is a folder" in result.stderr


def test_a_licence_that_is_not_accepted_leaves_nothing(
    terminal: Open, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: bees-only\n---\n")
    config = {
        "model_type": "llama",
        "vocab_size": 9,
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "max_position_embeddings": 64,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    asked = terminal("base", "add", str(tmp_path), "--name", "bee")
    asked.wait_for("The model's licence is bees-only.")
    asked.wait_for("Do you accept it?")
    asked.type("n")

    assert asked.end() == 5
    assert "The licence (bees-only) was not accepted" in asked.shown
    assert list((home / "bases").iterdir()) == []
