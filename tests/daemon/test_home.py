"""Where things lie, and who may look at them."""

import os
import stat
import sys
from pathlib import Path

import pytest

from daemon import home as home_module
from daemon.home import Home


def test_one_variable_moves_everything(tmp_path: Path) -> None:
    home = Home.from_environment({"NIGHTLOOM_HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/run/x"})
    assert home.config_file == tmp_path / "config.toml"
    assert home.vault == tmp_path / "vault"
    assert home.bases == tmp_path / "bases"
    assert home.api_socket == tmp_path / "run/api/api.sock"
    assert home.admin_socket == tmp_path / "run/admin/admin.sock"
    assert home.lock_file == tmp_path / "run/service.lock"
    assert home.own_folders == (tmp_path,)


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="XDG is for Linux")
def test_else_the_standard_folders_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    home = Home.from_environment({"XDG_RUNTIME_DIR": "/run/user/7"})
    assert home.vault == tmp_path / "data/nightloom/vault"
    assert home.config_file == tmp_path / "config/nightloom/config.toml"
    assert home.api_socket == Path("/run/user/7/nightloom/api/api.sock")
    assert home.admin_socket == Path("/run/user/7/nightloom/admin/admin.sock")


def test_without_a_runtime_folder_nothing_goes_where_others_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(home_module, "RUNTIME_FOLDERS", tmp_path)
    home = Home.from_environment({})
    assert home.runtime.parent == home.vault.parent


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has none")
def test_a_shell_of_su_finds_the_service_of_the_desktop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(home_module, "RUNTIME_FOLDERS", tmp_path)
    (tmp_path / str(os.geteuid())).mkdir()
    home = Home.from_environment({})
    assert home.runtime == tmp_path / str(os.geteuid()) / "nightloom"


def test_folders_are_the_users_alone(tmp_path: Path) -> None:
    home = Home.under(tmp_path / "new/home")
    before = os.umask(0)
    try:
        home.create_folders()
        home.create_folders()
    finally:
        os.umask(before)
    made = [path for path in (tmp_path / "new").rglob("*") if path.is_dir()]
    assert len(made) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


def test_a_vault_exists_when_there_is_anything_in_its_folder(tmp_path: Path) -> None:
    home = Home.under(tmp_path)
    assert not home.vault_exists()
    home.create_folders()
    assert not home.vault_exists()
    (home.vault / "vault.db").touch()
    assert home.vault_exists()
