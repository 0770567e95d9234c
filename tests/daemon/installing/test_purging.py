"""Taking everything away: keys first, and nothing that is not nightloom's."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.home import Home
from daemon.installing.errors import NotOurs
from daemon.installing.purging import in_use, purge
from ipc.sockets import lock
from storage.keys import Argon2Parameters
from storage.vault import Vault

QUICK = Argon2Parameters(time_cost=1, memory_kib=8 * 1024, lanes=1)


class Keeper:
    """Keeps a key in memory."""

    kind = "systemd-creds"

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    def problem(self) -> str | None:
        return None

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        self.kept[vault_id] = private
        return {}

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        return self.kept[vault_id]

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        del self.kept[vault_id]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home.under(tmp_path / "home")
    made.create_folders()
    return made


def test_vault_bases_settings_and_sockets_go_and_neighbours_stay(home: Home) -> None:
    vault, _ = Vault.create(home.vault, passphrase="nine brown teapots", argon2=QUICK)
    vault.close()
    home.config_file.write_text("[night]\n")
    (home.bases / "mine").mkdir()
    assert home.root is not None
    (home.root / "letter.txt").touch()

    gone = purge(home, ())

    assert gone == [home.vault, home.bases, home.config_file, home.runtime]
    assert [path.name for path in home.root.iterdir()] == ["letter.txt"]


def test_a_home_with_nothing_else_goes_as_well(home: Home) -> None:
    purge(home, ())

    assert home.root is not None
    assert not home.root.exists()
    assert purge(home, ()) == []  # once is enough, twice is no harm


def test_what_a_keeper_holds_is_dropped(home: Home) -> None:
    keeper = Keeper()
    vault, _ = Vault.create(home.vault, passphrase="nine brown teapots", argon2=QUICK)
    vault.add_kept_slot(keeper)
    vault.close()
    assert len(keeper.kept) == 1

    purge(home, (keeper,))

    assert keeper.kept == {}


def test_a_link_goes_and_what_it_leads_to_stays(home: Home, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/letter").touch()
    home.bases.rmdir()
    home.bases.symlink_to(tmp_path / "disk")
    home.lock_file.touch()  # a service was here

    assert home.bases in purge(home, ())

    assert not home.bases.is_symlink()
    assert (tmp_path / "disk/letter").exists()


def test_a_folder_that_is_not_nightlooms_loses_nothing(tmp_path: Path) -> None:
    project = Home.under(tmp_path)  # as a NIGHTLOOM_HOME that names the wrong folder
    for file in (project.vault / "policy.hcl", project.runtime / "start.sh", project.config_file):
        file.parent.mkdir(exist_ok=True)
        file.touch()

    with pytest.raises(NotOurs):
        purge(project, ())

    assert (project.vault / "policy.hcl").exists()
    assert (project.runtime / "start.sh").exists()
    assert project.config_file.exists()


def test_a_service_that_answers_nobody_is_noticed(home: Home) -> None:
    assert not in_use(home)
    descriptor = lock(home.runtime)
    assert in_use(home)
    os.close(descriptor)
    assert not in_use(home)

    vault, _ = Vault.create(home.vault, passphrase="nine brown teapots", argon2=QUICK)
    assert in_use(home)
    vault.close()
    assert not in_use(home)


def test_the_keys_go_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    vault, _ = Vault.create(home.vault, passphrase="nine brown teapots", argon2=QUICK)
    vault.close()

    def refuse(path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(PermissionError):
        purge(home, ())

    assert sorted(path.name for path in home.vault.iterdir()) != []
    assert not (home.vault / "slots.json").exists()
