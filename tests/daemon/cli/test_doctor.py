"""`nightloom doctor`: measured for real once, then what it says of homes that lack something."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon import kept_speed
from daemon.cli import machine_speed
from tests.daemon.cli.conftest import Run
from trainer.speed import Speed

FACTS = {"kernels": "avx512bf16", "threads": 2}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine was measured in no time."""
    answer = {"speed": {"small": 1e11, "large": 4e11}, "machine": FACTS}
    monkeypatch.setattr(machine_speed, "measured", lambda _: answer)


def examined(run: Run, code: int) -> dict[str, Any]:
    result = run("doctor", "--json")
    assert result.exit_code == code, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def found(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in answer["findings"] if one["name"] == name)


def test_the_machine_is_measured_and_that_is_kept_for_the_lists(run: Run, home: Path) -> None:
    (home / "bases").mkdir()

    answer = examined(run, 1)  # there is no vault yet

    (base,) = answer["bases"]
    assert (base["name"], base["serves_here"], base["trains_here"]) == ("builtin", True, True)
    assert base["tokens_per_night"] > 10_000
    assert found(answer, "vault")["holds"] is False
    assert found(answer, "base")["holds"] is True
    kept = json.loads((home / "bases" / kept_speed.NAME).read_text())["speed"]
    assert Speed.from_json(kept).large > 0
    assert run("base", "list", "--recommended").stderr == ""  # not measured again


@pytest.mark.usefixtures("quick", "service")
def test_where_all_is_well_it_says_so(run: Run, home: Path) -> None:
    (home / "vault").mkdir()
    (home / "vault" / "index.db").touch()

    said = run("doctor")

    assert said.exit_code == 0, said.output
    assert "✗" not in said.stdout
    assert "serves and trains" in said.stdout
    assert "with 2,048 tokens of context" in said.stdout


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("config", "name", "advice"),
    [
        ("[engine]\nthread = 2\n", "configuration", "did you mean 'threads'?"),
        ('[engine]\nbase = "gone"\n', "base", "There is no such base"),
        ("[engine]\nmemory_gb = 0.5\n", "base", "and 0.50 GB may be used"),
    ],
)
def test_what_is_in_the_way_is_named(
    run: Run, home: Path, config: str, name: str, advice: str
) -> None:
    (home / "config.toml").write_text(config)

    finding = found(examined(run, 1), name)

    assert finding["holds"] is False
    assert advice in finding["advice"]
