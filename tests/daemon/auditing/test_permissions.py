"""Files and folders that others could read or change are found."""

import os
from pathlib import Path

import pytest

from daemon.auditing.permissions import everything, is_open, opened
from daemon.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.under(tmp_path / "home")
    (tmp_path / "home").mkdir(mode=0o700)
    home.create_folders()
    for file in (home.vault / "vault.db", home.config_file, home.bases / "tiny"):
        file.touch(mode=0o600)
    return home


def names(home: Home) -> list[str]:
    return sorted(Path(one.path).name for one in opened(everything(home), uid=os.geteuid()))


def test_a_home_as_it_is_made_is_its_owners_alone(home: Home) -> None:
    assert names(home) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_of_the_vault_that_others_may_read_is_found(home: Home, mode: int) -> None:
    (home.vault / "vault.db").chmod(mode)
    assert names(home) == ["vault.db"]
    [found] = opened(everything(home), uid=os.geteuid())
    assert found.mode == mode
    assert not found.of_another


def test_a_folder_that_others_may_enter_is_found(home: Home) -> None:
    (home.runtime / "admin").chmod(0o711)
    assert names(home) == ["admin"]


def test_a_base_and_the_configuration_may_be_read_and_not_changed(home: Home) -> None:
    for public in (home.bases / "tiny", home.config_file, home.bases):
        public.chmod(0o755)
    assert names(home) == []
    (home.bases / "tiny").chmod(0o664)
    home.config_file.chmod(0o622)
    assert names(home) == ["config.toml", "tiny"]


def test_what_belongs_to_another_user_is_found_whatever_its_mode(home: Home) -> None:
    found = opened(everything(home), uid=os.geteuid() + 1)
    assert {Path(one.path).name for one in found} >= {"vault", "vault.db", "tiny"}
    assert all(one.of_another for one in found)


def test_a_link_is_judged_by_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("anywhere")
    status = (tmp_path / "link").lstat()
    assert not is_open(status, uid=os.geteuid(), private=True)
