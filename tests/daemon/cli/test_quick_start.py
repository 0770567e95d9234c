"""The command starts quickly: what it need not import it does not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.cli import fake_service
from tests.daemon.cli.fake_service import FakeAdmin

ROOT = Path(__file__).parents[3]
HEAVY = (
    *("torch", "transformers", "rich", "prompt_toolkit", "markdown_it"),
    *("aiohttp", "asyncio", "sqlite3", "cryptography", "daemon.cli.chat_desk"),
)
REPORTING = """
import sys
from daemon.cli import main
try:
    main()
finally:
    print(" ".join(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["status", "--json"], ["night", "log"], ["--help"]])
def test_reading_imports_nothing_heavy(home: Path, service: FakeAdmin, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPORTING, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NIGHTLOOM_HOME": str(home)},
    )

    imported = done.stderr.split()
    assert "daemon.cli.status" in imported
    assert [name for name in HEAVY if name in imported] == []
    if "--json" in words:
        assert json.loads(done.stdout) == fake_service.STATUS


def test_a_reader_that_leaves_early_is_no_error(home: Path, service: FakeAdmin) -> None:
    service.night_list = [fake_service.NIGHT] * 2000
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "daemon.cli", "night", "log", "2000"],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "NIGHTLOOM_HOME": str(home)},
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")
