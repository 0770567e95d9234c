"""Completions and the manual page: made from the command, taken by those they are for."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daemon.cli.root import nightloom
from daemon.installing.completions import COMMAND, SHELLS, completion, completions
from daemon.installing.manual import manual

BIN = Path(sys.executable).parent


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here")
    return found


def verbs(group: click.Group, above: str = COMMAND) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, f"{above} {name}")
        elif not command.hidden:
            yield f"{above} {name}"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_completions(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(completion(nightloom, shell))

    done = subprocess.run(
        [program(shell), "-n", str(script)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_bash_offers_the_verbs_that_begin_so(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(completion(nightloom, "bash"))
    asks = f"""
source {script}
COMP_WORDS=(nightloom privacy ex) COMP_CWORD=2
_nightloom_completion nightloom
echo "${{COMPREPLY[*]}}"
"""
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    done = subprocess.run(
        [program("bash"), "--norc", "-c", asks],
        env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert sorted(done.stdout.split()) == ["exclude", "export"]


def test_completions_lie_where_the_shells_look() -> None:
    assert sorted(completions(nightloom)) == [
        "bash-completion/completions/nightloom",
        "fish/vendor_completions.d/nightloom.fish",
        "zsh/site-functions/_nightloom",
    ]


def test_the_manual_has_every_verb_with_all_its_options() -> None:
    page = manual(nightloom, version="1.2.3")

    told = re.findall(r"^\.SS \\fB(.*?)\\fR", page, re.MULTILINE)
    assert [name.replace("\\-", "-") for name in told] == sorted(verbs(nightloom))
    assert page.count("\\-\\-passphrase\\-file") > 1
    assert "die\\-with" not in page  # what is hidden stays so


def test_man_shows_it_without_a_complaint(tmp_path: Path) -> None:
    man = program("man")
    (tmp_path / "nightloom.1.gz").write_bytes(
        gzip.compress(manual(nightloom, version="1.2.3").encode())
    )

    done = subprocess.run(
        [man, "--warnings", "--encoding=UTF-8", "--local-file", str(tmp_path / "nightloom.1.gz")],
        env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    if not done.stdout.strip() or "minimized" in done.stdout:
        pytest.skip("man shows no pages here")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nightloom privacy forget" in re.sub(".\b", "", done.stdout)


def test_lines_that_roff_would_obey_are_text() -> None:
    @click.group(help="A word.\n\n.so /etc/passwd\n\n'quoted' \\fBnot bold\\fR")
    def group() -> None: ...

    page = manual(group, version="1")

    assert "\n.so" not in page
    assert "\n'" not in page
    assert "\\(rsfBnot bold" in page
