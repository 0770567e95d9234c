"""Settings of the vault: sealed, beside the sources, and never taken for one."""

from pathlib import Path

import pytest

from storage.errors import RowDamaged, UnknownSource
from storage.records import SourceSettings
from storage.vault import Vault
from tests.storage.making import flipped, reopen, tampering


def source(name: str) -> SourceSettings:
    return SourceSettings(name=name, kind="folder", path="/home/ada/notes")


def test_a_setting_is_kept_replaced_and_removed(vault: Vault, folder: Path) -> None:
    assert vault.settings.get("pause") is None
    vault.settings.put("pause", {"since": 1.5, "seconds": None})
    vault.settings.put("pause", {"since": 2.5, "seconds": 60})
    vault.close()
    with reopen(folder) as again:
        assert again.settings.get("pause") == {"since": 2.5, "seconds": 60}
        assert again.verify().intact
        again.settings.put("pause", None)
        again.settings.put("pause", None)
        assert again.settings.get("pause") is None
        assert again.verify().intact


def test_a_setting_is_no_source_even_of_the_same_name(vault: Vault) -> None:
    vault.settings.put("notes", ["*.secret"])
    with pytest.raises(UnknownSource):
        vault.sources.get("notes")
    vault.sources.add(source("notes"))
    assert vault.sources.list() == [source("notes")]
    vault.sources.remove("notes")
    assert vault.settings.get("notes") == ["*.secret"]


def test_a_setting_is_not_in_clear(vault: Vault, folder: Path) -> None:
    vault.settings.put("exclusions", ["/home/ada/letters-to-zoe/**"])
    vault.close()
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"letters-to-zoe" not in path.read_bytes()
            assert b"exclusions" not in path.read_bytes()


def test_a_damaged_setting_is_said_to_be_so_and_can_be_written_anew(
    vault: Vault, folder: Path
) -> None:
    vault.settings.put("exclusions", ["*.secret"])
    vault.close()
    with tampering(folder) as database:
        (sealed,) = database.execute("SELECT sealed FROM sources").fetchone()
        database.execute("UPDATE sources SET sealed = ?", [flipped(sealed, 200)])
    with reopen(folder) as again:
        with pytest.raises(RowDamaged):
            again.settings.get("exclusions")
        again.settings.put("exclusions", ["*.other"])
        assert again.settings.get("exclusions") == ["*.other"]


def test_a_source_is_changed_in_what_is_named_and_nothing_else(vault: Vault, folder: Path) -> None:
    vault.sources.add(source("notes"))
    changed = vault.sources.change("notes", paused=True, retention_days=30)
    assert (changed.paused, changed.retention_days, changed.path) == (True, 30, "/home/ada/notes")
    with pytest.raises(UnknownSource):
        vault.sources.change("letters", paused=True)
    vault.close()
    with reopen(folder) as again:
        assert again.sources.list() == [changed]
        assert again.verify().intact
