"""The Debian package: everything but its environment, as `make deb` puts it together."""

import gzip
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daemon.installing.systemd_units import UNITS

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "packaging" / "deb" / "make_deb.py"

VERBS = ("stop", "start", "daemon-reload", "is-enabled")
SYSTEMCTL = """#!/bin/sh
case "$*" in
*list-units*)
    echo "user@1000.service loaded active running User Manager for UID 1000"
    echo "user@1001.service loaded active running User Manager for UID 1001" ;;
*) echo "$*" >>"$NOTED" ;;
esac
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("dpkg") and Path("/usr/bin/python3").exists()), reason="no Debian: no dpkg"
)
made: dict[str, Any] = runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb") / "tree"
    umask = os.umask(0o077)  # what a package holds does not depend on who makes it
    try:
        made["main"](["--tree", str(folder)])
    finally:
        os.umask(umask)
    return folder


def control(tree: Path) -> dict[str, str]:
    text = (tree / "DEBIAN" / "control").read_text("utf-8")
    return dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.MULTILINE))


def test_the_units_start_the_command_of_the_package(tree: Path) -> None:
    units = tree / "usr/lib/systemd/user"

    assert sorted(path.name for path in units.iterdir()) == sorted(UNITS)
    assert 'ExecStart="/opt/nightloom/bin/nightloom" run' in (units / UNITS[0]).read_text("utf-8")
    assert (ROOT / "packaging/systemd" / UNITS[0]).read_text() == (units / UNITS[0]).read_text()


def test_the_command_is_on_the_path_and_runs_the_private_python(tree: Path) -> None:
    launcher = tree / "opt/nightloom/bin/nightloom"

    assert (tree / "usr/bin/nightloom").readlink() == Path("/opt/nightloom/bin/nightloom")
    assert launcher.read_text().splitlines()[0] == "#!/opt/nightloom/bin/python3 -I"
    assert launcher.stat().st_mode & 0o777 == 0o755


def test_completions_manual_and_licence_are_where_debian_looks(tree: Path) -> None:
    share = tree / "usr/share"

    assert (share / "bash-completion/completions/nightloom").exists()
    assert (share / "zsh/vendor-completions/_nightloom").exists()
    assert (share / "fish/vendor_completions.d/nightloom.fish").exists()
    assert gzip.decompress((share / "man/man1/nightloom.1.gz").read_bytes()).startswith(b'.\\"')
    assert "Apache License" in (share / "doc/nightloom/copyright").read_text("utf-8")


def test_everybody_can_read_all_of_it_and_nothing_else_can_be_done(tree: Path) -> None:
    for path in tree.rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o7777
            assert mode in ((0o755,) if path.is_dir() else (0o644, 0o755)), path


def test_the_package_belongs_to_one_python(tree: Path) -> None:
    told = control(tree)

    assert told["Package"] == "nightloom"
    assert re.search(r"python3 \(>= 3\.\d+~\), python3 \(<< 3\.\d+~\)", told["Depends"])
    assert int(told["Installed-Size"]) > 10


@pytest.mark.parametrize(
    ("script", "words", "asked"),
    [
        ("prerm", ["upgrade", "2"], ["stop"]),
        ("prerm", ["remove"], ["stop"]),
        ("prerm", ["failed-upgrade", "1"], []),
        ("postinst", ["configure", "1"], ["daemon-reload", "is-enabled", "start"]),
        ("postinst", ["configure", ""], []),  # the first installation starts nothing
        ("postinst", ["abort-remove"], ["daemon-reload", "is-enabled", "start"]),
    ],
)
def test_an_upgrade_stops_the_service_of_each_user_and_starts_it_again(
    tree: Path, tmp_path: Path, script: str, words: list[str], asked: list[str]
) -> None:
    """With a systemctl that notes what it is asked."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NOTED": str(tmp_path / "noted")}

    subprocess.run(["/bin/sh", tree / "DEBIAN" / script, *words], env=environ, check=True)

    noted = tmp_path / "noted"
    lines = noted.read_text().splitlines() if noted.exists() else []
    for user in ("1000", "1001"):
        of_user = [line for line in lines if f"--machine={user}@" in line]
        assert [word for line in of_user for word in line.split() if word in VERBS] == asked


def test_dpkg_takes_it(tree: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    (copy / "opt/nightloom/bin/python3").symlink_to("/usr/bin/python3")

    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", copy, tmp_path / "n.deb"],
        check=True,
        capture_output=True,
    )
    listed = subprocess.run(
        ["dpkg-deb", "--contents", tmp_path / "n.deb"], check=True, capture_output=True, text=True
    )

    assert "./opt/nightloom/bin/nightloom" in listed.stdout
    assert {line.split()[1] for line in listed.stdout.splitlines()} == {"root/root"}


def test_the_source_in_the_package_is_what_is_installed(tmp_path: Path) -> None:
    folder = made["copy_of_the_source"](tmp_path / "source")

    assert {path.name for path in folder.iterdir()} == set(made["SOURCES"])
    assert (folder / "trainer/nf4.c").exists()
    assert (folder / "trainer/bases/nightloom-16m/model.safetensors").exists()
    assert not list(folder.rglob("*.so"))
