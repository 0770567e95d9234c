"""Globs for all sources: kept in the vault, followed by the collector."""

from pathlib import Path

import pytest

from daemon.collecting.reports import SourceState
from daemon.errors import ExclusionInvalid, ExclusionsDamaged, ExclusionUnknown
from daemon.exclusions import checked
from tests.daemon.collecting.parts import until, write
from tests.daemon.limited import limited
from tests.storage.making import flipped, tampering


async def test_an_exclusion_removes_what_it_names_and_outlasts_a_restart(tmp_path: Path) -> None:
    for name in ("a.txt", "in/b.txt", "in/deep/c.txt"):
        write(tmp_path / "notes" / name, f"text of {name}")
    async with limited(tmp_path) as house:
        await house.collector.rescan()
        assert await house.exclusions.add(" in/ ") == ("in/", 2)
        assert await house.exclusions.add("in/") == ("in/", 0)
        assert await house.paths() == ["a.txt"]
    async with limited(tmp_path) as house:
        assert await house.exclusions.list() == ["in/"]
        await house.collector.rescan()
        assert await house.paths() == ["a.txt"]
        await house.exclusions.remove("in/")
        await house.collector.rescan()
        assert await house.paths() == ["a.txt", "in/b.txt", "in/deep/c.txt"]
        with pytest.raises(ExclusionUnknown):
            await house.exclusions.remove("in/")


async def test_a_place_is_excluded_by_its_whole_path_through_links(tmp_path: Path) -> None:
    write(tmp_path / "notes/in/a.txt", "one")
    (tmp_path / "way").symlink_to(tmp_path / "notes")
    async with limited(tmp_path) as house:
        await house.collector.rescan()
        kept, removed = await house.exclusions.add(f"{tmp_path}/way/in/*.txt")
        assert (kept, removed) == (f"{(tmp_path / 'notes').resolve()}/in/*.txt", 1)
        await house.exclusions.remove(f"{tmp_path}/way/in/*.txt")
        assert await house.exclusions.list() == []


def test_the_home_folder_is_meant_by_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    real = tmp_path.resolve()
    assert checked("~/notes/private") == f"{real}/notes/private"
    assert checked("~/*/private") == f"{real}/*/private"
    assert checked("/*.md") == "/*.md"
    assert checked("*.md") == "*.md"


@pytest.mark.parametrize("glob", ["", "  ", "/", "//", "a\nb", "a\0b", "x" * 501])
def test_what_can_be_no_glob_is_refused(glob: str) -> None:
    with pytest.raises(ExclusionInvalid):
        checked(glob)


async def test_while_the_list_cannot_be_read_nothing_is_collected_and_nothing_removed(
    tmp_path: Path,
) -> None:
    write(tmp_path / "notes/a.txt", "one")
    async with limited(tmp_path) as house:
        await house.collector.rescan()
        await house.exclusions.add("private")
    with tampering(tmp_path / "vault") as database:
        (number,) = database.execute("SELECT max(id) FROM sources").fetchone()
        (sealed,) = database.execute("SELECT sealed FROM sources WHERE id = ?", [number]).fetchone()
        changed = [flipped(sealed, 300), number]
        database.execute("UPDATE sources SET sealed = ? WHERE id = ?", changed)
    write(tmp_path / "notes/private/b.txt", "two")
    async with limited(tmp_path) as house:
        with pytest.raises(ExclusionsDamaged):
            await house.exclusions.list()
        await house.collector.rescan()
        await house.pausing.resume()
        await house.collector.rescan()
        assert house.collector.report("notes").state is SourceState.PAUSED
        assert await house.paths() == ["a.txt"]
        await house.exclusions.add("private")
        await until(lambda: house.collector.report("notes").state is SourceState.WATCHING)
        await house.collector.rescan()
        assert await house.paths() == ["a.txt"]
