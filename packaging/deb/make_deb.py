"""Makes the Debian package: a private virtual environment under /opt, units, completions, a manual.

    python packaging/deb/make_deb.py [--output build/deb] [--python /usr/bin/python3] [--tree DIR]

The environment belongs to one Python of the system (`Depends` names it) and needs a package index
while it is made; nothing does after that. torch comes as a wheel: from PyPI with CUDA, gigabytes;
with `PIP_EXTRA_INDEX_URL` naming an index that has `+cpu` builds, about 200 MB. `--tree` makes all
but the environment, in seconds.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))  # it is run as a file

from daemon.cli.root import nightloom  # noqa: E402 - after the line above
from daemon.installing.completions import IN_SYSTEM, completions  # noqa: E402
from daemon.installing.manual import PAGE, manual  # noqa: E402
from daemon.installing.systemd_units import units  # noqa: E402

PREFIX = Path("opt/nightloom")  # below the root
COMMAND = Path("/") / PREFIX / "bin" / "nightloom"
UNITS = Path("usr/lib/systemd/user")
SHARE = Path("usr/share")
PACKAGES = ("daemon", "ipc", "storage", "trainer")
SOURCES = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")
CONSTRAINTS = ("constraints.txt", "constraints-cuda.txt")
SCRIPTS = ("prerm", "postinst")
MAINTAINER = "nightloom <nightloom@localhost>"
DESCRIPTION = """learns from what you write, on your own machine, while you sleep
 A light service keeps the text of folders that you name in an encrypted vault.
 At night, on AC power and with nobody there, it trains a small private adapter
 on a 4-bit base model, and serves it to your chat programs over a Unix socket.
 Nothing leaves the machine.
 .
 Begin with "nightloom setup".
"""
LAUNCHER = """#!/{python} -I
import sys
from daemon.cli import main
sys.exit(main())
"""


def make_tree(tree: Path, *, version: str) -> None:
    """Everything but the environment and the control file."""
    for name, text in units(COMMAND).items():
        put(tree / UNITS / name, text)
    for name, text in completions(nightloom, IN_SYSTEM).items():
        put(tree / SHARE / name, text)
    page = manual(nightloom, version=version).encode()
    put_bytes(tree / SHARE / f"{PAGE}.gz", gzip.compress(page, mtime=0))
    put(tree / SHARE / "doc/nightloom/copyright", (ROOT / "LICENSE").read_text("utf-8"))
    changes = (ROOT / "packaging" / "CHANGELOG.md").read_bytes()
    put_bytes(tree / SHARE / "doc/nightloom/changelog.gz", gzip.compress(changes, mtime=0))
    launcher = tree / PREFIX / "bin" / "nightloom"
    put(launcher, LAUNCHER.format(python=PREFIX / "bin" / "python3"))
    launcher.chmod(0o755)
    link = tree / "usr/bin/nightloom"
    link.parent.mkdir(parents=True)
    link.symlink_to(COMMAND)


def make_control(tree: Path, *, version: str, architecture: str, python: tuple[int, int]) -> None:
    """DEBIAN/control, with the size of what is there, and what runs around it."""
    size = sum(path.lstat().st_size for path in tree.rglob("*") if not path.is_dir())
    major, minor = python
    fields = {
        "Package": "nightloom",
        "Version": version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Section": "utils",
        "Priority": "optional",
        "Installed-Size": str(size // 1024 + 1),
        # one Python's extension modules; libgomp and libstdc++ for torch
        "Depends": f"python3 (>= {major}.{minor}~), python3 (<< {major}.{minor + 1}~), "
        f"python{major}.{minor}, libc6, libgomp1, libstdc++6",
        "Recommends": "systemd, dbus-user-session",
        "Suggests": "upower, gnome-keyring",
        "Description": DESCRIPTION.rstrip("\n"),
    }
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    put(tree / "DEBIAN" / "control", text)
    for name in SCRIPTS:
        put(tree / "DEBIAN" / name, (HERE / name).read_text("utf-8"))
        (tree / "DEBIAN" / name).chmod(0o755)


def make_environment(tree: Path, python: Path) -> None:
    """The virtual environment, as if it had been made where it will be."""
    at = tree / PREFIX
    command = at / "bin" / "nightloom"
    launcher = command.read_text("utf-8")
    run(python, "-m", "venv", at)
    pip = (at / "bin" / "python3", "-m", "pip")
    pins = [f"--constraint={ROOT / 'packaging' / name}" for name in CONSTRAINTS]
    quiet = ("--quiet", "--disable-pip-version-check", "--no-compile", "--no-cache-dir")
    run(*pip, "install", *quiet, *pins, "setuptools")
    with tempfile.TemporaryDirectory() as folder:
        source = copy_of_the_source(Path(folder) / "source")
        run(*pip, "install", *quiet, *pins, "--no-build-isolation", source)
    run(*pip, "uninstall", "--quiet", "--yes", "pip", "setuptools")
    for path in (at / "bin").iterdir():
        if not path.name.startswith("python"):
            path.unlink()
    put(command, launcher)
    command.chmod(0o755)
    put(at / "pyvenv.cfg", f"home = {python.parent}\ninclude-system-site-packages = false\n")
    for name in ("python", "python3"):
        (at / "bin" / name).unlink(missing_ok=True)
        (at / "bin" / name).symlink_to(python)
    for cache in list(at.rglob("__pycache__")):
        shutil.rmtree(cache)
    # the hash is not looked at again: files of a package do not change
    run(python, "-m", "compileall", "-qq", "-j", "0", "--invalidation-mode", "unchecked-hash",
        "-s", tree, "-p", "/", at / "lib", may_fail=True)  # fmt: skip


def copy_of_the_source(folder: Path) -> Path:
    """Building writes beside it."""
    folder.mkdir()
    leave = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=leave)
        else:
            shutil.copy(source, folder / name)
    return folder


def build(tree: Path, output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z10", "--build", tree, output)
    return max(output.glob("nightloom_*.deb"), key=lambda path: path.stat().st_mtime)


def put(path: Path, text: str) -> None:
    put_bytes(path, text.encode())


def put_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o644)


def run(*words: object, may_fail: bool = False) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([str(word) for word in words], env=environ, check=not may_fail)


def version_of_project() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def asked(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main(words: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "deb")
    parser.add_argument("--python", type=Path, default=Path("/usr/bin/python3"))
    parser.add_argument("--tree", type=Path, help="make only this, without the environment")
    options = parser.parse_args(None if words is None else list(words))
    version = version_of_project()
    told = asked(options.python, "-c", "import sys; print(*sys.version_info[:2])").split()
    python = (int(told[0]), int(told[1]))
    os.umask(0o022)  # what is in a package is everybody's to read
    architecture = asked("dpkg", "--print-architecture")
    if options.tree is not None:
        make_tree(options.tree, version=version)
        make_control(options.tree, version=version, architecture=architecture, python=python)
        return
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.output, prefix="tree-") as folder:
        tree = Path(folder) / "nightloom"
        make_tree(tree, version=version)
        make_environment(tree, options.python)
        make_control(tree, version=version, architecture=architecture, python=python)
        made = build(tree, options.output)
    print(f"{made} ({made.stat().st_size / 1e6:.0f} MB)")


if __name__ == "__main__":
    main()
