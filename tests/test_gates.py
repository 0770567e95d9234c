"""Types are gates: each stage's word is given by that stage and by nobody else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("daemon", "ipc", "storage", "trainer")
# A type, and the one file that may make one. DESIGN, section 3. (storage/bench/texts.py invents
# documents of nobody for a vault that is thrown away.)
GATES = {
    "Passed": "trainer/gate.py",
    "Refused": "trainer/gate.py",
    "RedactedDocument": "daemon/collecting/redaction.py",
    "PublishedAdapter": "storage/adapter_shelf.py",
}

INVENTED = ("storage", "bench", "texts.py")


def makers(name: str, tree: ast.AST) -> Iterator[int]:
    """Lines on which a value of the type `name` is made: called, copied with changes, or read."""
    aliases = {name}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            aliases |= {one.asname for one in node.names if one.name == name and one.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr == "__new__":
                called = called.value
            found = called.attr if isinstance(called, ast.Attribute) else None
            found = called.id if isinstance(called, ast.Name) else found
            if found in aliases:
                yield node.lineno


def files() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("name", GATES)
def test_only_its_own_stage_makes_it(name: str) -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.parts[-3:] != INVENTED
        and (lines := list(makers(name, ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert set(found) == {GATES[name]}


@pytest.mark.parametrize(
    "code",
    [
        "from storage.records import Passed\nPassed(sha256='', measured=m)",
        "from storage import records\nrecords.Passed(sha256='', measured=m)",
        "from storage.records import Passed as Fine\nFine(sha256='', measured=m)",
        "from storage.records import Passed\nobject.__new__\nPassed.__new__(Passed)",
    ],
)
def test_a_forged_pass_would_be_found(code: str) -> None:
    assert list(makers("Passed", ast.parse(code)))


def test_naming_and_asking_for_a_type_is_free() -> None:
    code = "from storage.records import Passed\nlet: Passed = given\nisinstance(let, Passed)"
    assert not list(makers("Passed", ast.parse(code)))
