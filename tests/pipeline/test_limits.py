"""The user's limits in a whole nightloom: over the socket, through restarts, with a real night."""

import json
import os
import time
from pathlib import Path

import pytest

from daemon.collecting.ignoring import IGNORE_FILE
from tests.pipeline.living import Json, Nightloom, at_step, entry_of, until, wait_for
from tests.pipeline.searching import files_with, needles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

QUICK = "[collect]\nsettle_seconds = 0\ndebounce_seconds = 0\n"


@pytest.fixture
def started(place: Nightloom) -> Nightloom:
    """A service with three notes collected."""
    place.configure(QUICK)
    place.make_vault()
    for name in ("bees.txt", "private/diary.md", "old.txt"):
        place.write(name, f"the words of {name}")
    ago = time.time() - 100 * 86_400
    os.utime(place.notes / "old.txt", (ago, ago))
    place.start()
    place.add_source()
    return place


def source(place: Nightloom) -> Json:
    (one,) = json.loads(place.run("privacy", "sources", "list", "--json").stdout)
    return dict(one)


def test_exclusions_by_glob_ignore_file_and_marker_are_undone_as_they_were_done(
    started: Nightloom,
) -> None:
    said = started.run("privacy", "exclude", "add", str(started.notes / "private"))
    assert "1 document is removed" in said.stdout
    (started.notes / IGNORE_FILE).write_text("old.*\n")
    started.write("bees.txt", "# nightloom: off\nthe words of bees")
    until(lambda: source(started)["documents"] == 0)
    skipped = source(started)["skipped"]
    assert skipped == {"excluded": 1, "ignored": 1, "marked": 1}
    started.terminate()
    started.start()
    started.admin.rescan()
    assert source(started)["documents"] == 0

    (started.notes / IGNORE_FILE).unlink()
    started.write("bees.txt", "the words of bees")
    started.run("privacy", "exclude", "remove", str(started.notes / "private"))
    until(lambda: source(started)["documents"] == 3)


def test_retention_removes_now_and_is_still_there_after_a_restart(started: Nightloom) -> None:
    refused = started.run("privacy", "retention", "30")
    assert refused.exit_code == 2  # nobody said yes
    assert source(started)["documents"] == 3
    said = started.run("privacy", "retention", "30", "--yes")
    assert "1 document is removed" in said.stdout
    started.terminate()
    started.start()
    started.admin.rescan()
    assert (source(started)["documents"], source(started)["skipped"]) == (2, {"too_old": 1})
    assert "30 days" in started.run("privacy", "retention").stdout
    started.run("privacy", "retention", "off")
    until(lambda: source(started)["documents"] == 3)


def test_a_pause_outlasts_a_restart_and_refuses_nights(started: Nightloom) -> None:
    assert started.run("pause", "--for", "2h").exit_code == 0
    started.terminate()
    started.start()
    started.write("new.txt", "written in the pause")
    started.admin.rescan()
    assert (source(started)["state"], source(started)["documents"]) == ("paused", 3)
    night = started.run("night", "run", "--now")
    assert night.exit_code == 5
    assert "nightloom resume" in night.stderr
    why = json.loads(started.run("why", "--json").stdout)
    assert (why["would_work"], why["first"]) == (False, "paused")
    status = json.loads(started.run("status", "--json").stdout)
    assert status["paused"]
    assert status["until"] > time.time() + 3600
    assert started.run("resume").exit_code == 0
    until(lambda: source(started)["documents"] == 4)


def test_a_paused_source_stays_paused_through_a_restart_and_a_pause(started: Nightloom) -> None:
    assert started.run("privacy", "sources", "pause", "notes").exit_code == 0
    started.run("pause")
    started.run("resume")
    started.terminate()
    started.start()
    started.write("new.txt", "written in the pause")
    started.admin.rescan()
    assert (source(started)["state"], source(started)["documents"]) == ("paused", 3)
    assert started.run("privacy", "sources", "resume", "letters").exit_code == 2
    assert started.run("privacy", "sources", "resume", "notes").exit_code == 0
    until(lambda: source(started)["documents"] == 4)


def test_a_full_vault_says_so_and_goes_on_when_there_is_room(place: Nightloom) -> None:
    place.configure(QUICK + "vault_gb = 0.006\n")
    place.make_vault()
    for number in range(16):  # 8 MB, written by 4 MB or so at a time
        place.write(f"{number}.txt", f"{number} " + os.urandom(250_000).hex())
    place.start()
    place.admin.add_source(str(place.notes))
    until(lambda: source(place)["state"] == "quota")
    assert "bound of 0.006 GB" in source(place)["last_error"]
    assert "bound of 6 MB" in place.run("status").stdout
    assert 0 < source(place)["documents"] < 16
    assert place.home.vault.joinpath("vault.db").stat().st_size < 9_000_000
    for number in range(15):
        (place.notes / f"{number}.txt").unlink()
    place.run("privacy", "exclude", "add", "[0-9].txt")
    place.run("privacy", "exclude", "add", "1[0-4].txt")
    until(lambda: source(place)["documents"] == 1)


def test_what_excludes_and_pauses_is_nowhere_in_clear(started: Nightloom) -> None:
    started.run("privacy", "exclude", "add", "*-to-zoe-quince.md")
    started.run("privacy", "exclude", "add", str(started.notes / "the-quince-papers"))
    started.run("pause")
    started.terminate()
    wanted = needles(["zoe-quince", "the-quince-papers"])
    places = (started.home_folder, started.errors, started.said, started.temporary)
    assert files_with(wanted, *places) == []


def test_a_pause_stops_a_night_with_its_checkpoint_and_the_next_goes_on(noted: Nightloom) -> None:
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, at_step(2))
    noted.run("pause")
    assert entry_of(night)["state"] == "yielding"
    noted.run("resume")
    entry = entry_of(noted.admin.run_night())
    assert entry["state"] in ("done", "refused")
    assert len(noted.admin.nights()) == 1


def test_an_adapter_that_does_not_answer_is_deleted_for_good(learned: Nightloom) -> None:
    learned.start()
    (only,) = learned.admin.adapters()
    assert only["pinned"]
    refused = learned.run("adapters", "delete", only["sha256"][:12], "--yes")
    assert refused.exit_code == 5
    assert "answers now" in refused.stderr
    learned.run("adapters", "rollback")
    words = ("adapters", "delete", only["sha256"][:12], "--yes")
    assert learned.run(*words).exit_code == 5
    assert learned.run(*words, "--pinned").exit_code == 0
    (left,) = learned.admin.adapters()
    assert left["status"] == "withdrawn"
    sealed = list(Path(learned.home.vault / "files/adapters").iterdir())
    assert sum(file.stat().st_size for file in sealed) < 1000
    assert learned.run("adapters", "use", only["sha256"][:12]).exit_code == 5
