"""What a stranger gets: a package with all its data, pinned dependencies, clear words at the start.

The wheel and the source archive are really built, by setuptools, without the network.
"""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tests.building import COMPILER, LIBRARY, PACKAGES, PREFLIGHT, ROOT, build, fresh_clone

TOP_LEVEL = {
    *(".ci", ".gitignore", "LICENSE", "Makefile", "README.md", "packaging", "pyproject.toml"),
    *("daemon", "storage", "trainer", "ipc", "tests"),
}
CONSTRAINTS = ("constraints.txt", "constraints-cuda.txt")

project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
direct_lines = (*project["dependencies"], *project["optional-dependencies"]["dev"])
with_compiler = pytest.mark.skipif(
    not COMPILER, reason="no C compiler: apt-get install gcc libc6-dev"
)
unpinned: dict[str, Any] = runpy.run_path(str(ROOT / "packaging" / "unpinned.py"))
normalised = unpinned["normalised"]


def pins(*names: str) -> dict[str, str]:
    lines = [
        line
        for name in names
        for line in (ROOT / "packaging" / name).read_text("utf-8").splitlines()
    ]
    found: dict[str, str] = unpinned["read_pins"](lines)
    return found


# --------------------------------------------------------------------------- what is built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a fresh clone has it, in a folder of its own: building writes beside it."""
    return fresh_clone(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel."""
    built = build("wheel", source, tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def files_below(folder: str) -> Iterator[str]:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".so"):
            yield path.relative_to(ROOT).as_posix()


def test_the_wheel_holds_every_module_and_all_data(wheel: set[str]) -> None:
    wanted = {name for package in PACKAGES for name in files_below(package)}

    assert {"trainer/bases/nightloom-16m/model.safetensors", "storage/README.md"} <= wanted
    assert any(name.startswith("daemon/demo_notes/") for name in wanted)
    assert wanted - wheel == set()


@with_compiler
def test_the_wheel_holds_the_library(wheel: set[str]) -> None:
    assert len([name for name in wheel if LIBRARY.fullmatch(name)]) == 1


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel}

    assert tops == {*PACKAGES, f"nightloom-{project['version']}.dist-info"}
    assert [name for name in wheel if "__pycache__" in name or "/tests/" in name] == []


def test_the_source_archive_can_be_built_from(source: Path, tmp_path: Path) -> None:
    built = build("sdist", source, tmp_path)
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    wanted = {name for package in PACKAGES for name in files_below(package)}
    assert wanted | {"pyproject.toml", "README.md", "LICENSE", "trainer/nf4.c"} <= names
    assert [name for name in names if name.endswith(".so")] == []


def test_nothing_new_stands_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ) if shutil.which("git") else None  # fmt: skip
    if listed is None or listed.returncode != 0:
        pytest.skip("not a checkout that git can read")

    assert {name.partition("/")[0] for name in listed.stdout.splitlines()} <= TOP_LEVEL


def test_the_changelog_knows_this_version() -> None:
    changelog = (ROOT / "packaging" / "CHANGELOG.md").read_text("utf-8")

    assert re.search(rf"^## \[{re.escape(project['version'])}\]", changelog, re.MULTILINE)


# --------------------------------------------------------------------------- what is installed


@pytest.mark.parametrize("requirement", direct_lines)
def test_every_direct_dependency_is_pinned_and_says_why_it_is_there(requirement: str) -> None:
    name = re.split(r"[<>=,~! ]", requirement)[0]
    line = next(
        line
        for line in (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
        if line.startswith(f'    "{requirement}"')
    )

    assert normalised(name) in pins("constraints.txt")
    assert re.search(r"# \w+", line), f"{name} does not say why it is there"


def test_all_that_is_installed_is_pinned_at_that_version() -> None:
    assert unpinned["unpinned"](unpinned["installed_here"](), pins(*CONSTRAINTS)) == []


def test_the_comparison_finds_what_is_not_pinned() -> None:
    installed = {"torch": "2.13.0+cpu", "Jinja2": "3.1.5", "left_pad": "1.0", "pip": "26.0"}

    found = unpinned["unpinned"](installed, {"torch": "2.13.0", "jinja2": "3.1.6"})

    assert [line.split()[0] for line in found] == ["Jinja2", "left_pad"]


@pytest.mark.parametrize("line", ["torch>=2", "torch", "torch==2.*", "a==1\na==2"])
def test_a_line_that_is_no_exact_pin_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="pin"):
        unpinned["read_pins"](line.splitlines())


def test_every_library_that_is_imported_is_a_direct_dependency() -> None:
    declared = {normalised(re.split(r"[<>=,]", line)[0]) for line in project["dependencies"]}
    known = packages_distributions()
    undeclared = {
        name
        for name in imported_names()
        if not declared & {normalised(distribution) for distribution in known.get(name, [name])}
    }

    assert undeclared == set()


def imported_names() -> set[str]:
    """Top-level names of other people's libraries in our packages."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - {*PACKAGES, *sys.stdlib_module_names}


# --------------------------------------------------------------------------- before all that


@pytest.mark.parametrize(
    ("hidden", "wanted"),
    [("ensurepip", "apt-get install python3-venv"), ("venv", "apt-get install python3-venv")],
)
def test_a_python_without_virtual_environments_is_told_what_to_install(
    tmp_path: Path, hidden: str, wanted: str
) -> None:
    (tmp_path / f"{hidden}.py").write_text(
        "raise ImportError\n"
    )  # as on Debian without the package

    done = run_preflight(PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert wanted in done.stderr
    assert len(done.stderr.splitlines()) == 1


@with_compiler
def test_a_python_that_has_all_passes_in_silence() -> None:
    done = run_preflight()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_hints_at_a_compiler_that_is_missing_and_goes_on() -> None:
    done = run_preflight(CC="/bin/false")

    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "apt-get install gcc libc6-dev" in done.stderr
    assert run_preflight(CC="no-such-compiler").stderr == done.stderr


def test_an_old_python_is_named() -> None:
    complaint = runpy.run_path(str(PREFLIGHT))["complaint"]

    assert "this is 3.9" in complaint((3, 9, 2), lambda _name: True)
    assert complaint((3, 11, 0), lambda _name: True) is None


def run_preflight(**more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(PREFLIGHT)],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_says_one_sentence_when_there_is_no_python(tmp_path: Path) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "packaging", tmp_path / "packaging")
    (tmp_path / "trainer").mkdir()
    for name in ("pyproject.toml", "trainer/nf4.c"):
        (tmp_path / name).touch()

    done = subprocess.run(
        [make, "--no-print-directory", "test", "PYTHON=no-such-python"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == ["There is no no-such-python; install it with: "
                    "apt-get install python3 python3-venv"]  # fmt: skip
    assert not (tmp_path / ".venv").exists()


def test_the_scripts_name_no_place_of_one_machine() -> None:
    for name in ("Makefile", ".ci/run", "packaging/check"):
        text = (ROOT / name).read_text("utf-8")
        assert re.findall(r"/(?:home|work|root|Users|opt|tmp)\b|https?://", text) == [], name
