"""Builds the package as pip does, from a copy as a fresh clone has it, without the network."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("daemon", "ipc", "storage", "trainer")
PREFLIGHT = ROOT / "packaging" / "preflight.py"
COMPILER: bool = runpy.run_path(str(PREFLIGHT))["compiler_works"]()
LIBRARY = re.compile(r"trainer/_nf4\..*\.?so")  # by its name in the package
BUILDING = """
import sys
from setuptools import build_meta
getattr(build_meta, sys.argv[1])(sys.argv[2])
"""


def fresh_clone(place: Path) -> Path:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__", "*.so")
        )
    return place


def build(kind: str, source: Path, out: Path) -> Path:
    run_build(kind, source, out)
    (built,) = out.iterdir()
    return built


def run_build(kind: str, source: Path, out: Path, **more: str) -> str:
    """What the build said."""
    done = subprocess.run(
        [sys.executable, "-c", BUILDING, f"build_{kind}", str(out)],
        cwd=source,
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout
