"""The demo's temporary home: private, short, and gone afterwards."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemon.cli.demo_home import open_home
from daemon.cli.demo_interrupts import Interrupts


def test_the_home_is_gone_with_all_that_is_in_it() -> None:
    with ExitStack() as cleanup:
        home = open_home(None, cleanup, Interrupts())
        (home / "vault").mkdir()
        (home / "vault" / "rows").write_bytes(b"sealed")
        assert home.stat().st_mode & 0o777 == 0o700
    assert not home.exists()


def test_in_a_temporary_folder_with_a_long_path_sockets_would_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    with ExitStack() as cleanup:
        home = open_home(None, cleanup, Interrupts())
        assert len(str(home / "run" / "admin" / "admin.sock")) < 100
        assert not list(long.iterdir())
    assert not home.exists()
