"""A night that has too little to learn from waits, says so beforehand, and starts no engine."""

import json

import pytest

from tests.pipeline import tiny
from tests.pipeline.living import Json, Nightloom, entry_of
from tests.pipeline.story import CONFIGURATION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

NOTES = 40


@pytest.fixture
def started(place: Nightloom) -> Nightloom:
    """A service on the built-in base, with text enough for a night by its size."""
    place.configure(CONFIGURATION)
    place.make_vault()
    tiny.write_notes(place, NOTES)
    place.start()
    place.add_source()
    return place


def edit_all(place: Nightloom) -> None:
    """Every note becomes a second version of itself."""
    for number, note in enumerate(place.notes.iterdir()):
        note.write_text(note.read_text() + tiny.note(1000 + number))
    place.admin.rescan()


def new_text(place: Nightloom) -> Json:
    """The condition about text in `nightloom why`."""
    why: Json = json.loads(place.run("why", "--json").stdout)
    (found,) = [each for each in why["conditions"] if each["name"] == "text"]
    return dict(found)


def test_preview_and_why_say_what_a_night_of_edits_alone_will_wait_for(started: Nightloom) -> None:
    assert started.admin.preview()["enough"]
    edit_all(started)  # no first version is left that could judge

    preview, condition = started.admin.preview(), new_text(started)
    entry = entry_of(started.admin.run_night())

    assert (entry["state"], entry["reason"]) == ("waiting", "too_little_text")
    assert preview["total_new_documents"] == NOTES
    assert (preview["enough"], preview["missing_tokens"], preview["missing_documents"]) == (
        False, 0, 3,
    )  # fmt: skip
    assert preview["sentence"] == condition["advice"] == entry["sentence"]
    assert "3 more new documents" in entry["sentence"]
    assert started.engine_pid() is None  # one that was started would stay for minutes
    assert started.admin.status()["engine"] == "stopped"
