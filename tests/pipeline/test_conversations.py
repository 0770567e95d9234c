"""The source of chats with nightloom itself, by the verbs of all sources, in the real service."""

import json
from typing import Any

import pytest

from tests.pipeline.living import Nightloom

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def listed(place: Nightloom) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        place.run("privacy", "sources", "list", "--json").stdout
    )
    return found


def test_chats_are_a_source_like_others_and_off_until_added(place: Nightloom) -> None:
    place.make_vault()
    place.start()
    assert listed(place) == []
    sources = ("privacy", "sources")
    assert place.run(*sources, "add", "--kind", "conversations", "--name", "talks").exit_code == 0
    again = place.run(*sources, "add", "--kind", "conversations")
    assert (again.exit_code, "one at most" in again.stderr) == (2, True)
    place.admin.add_source(str(place.notes))  # a folder beside it
    (talks, notes) = listed(place)
    assert (talks["name"], talks["path"], talks["include"]) == ("talks", "", [])
    assert (talks["state"], talks["documents"], notes["kind"]) == ("watching", 0, "folder")
    for verb, state in (("pause", "paused"), ("resume", "watching")):
        assert place.run(*sources, verb, "talks").exit_code == 0
        assert listed(place)[0]["state"] == state
    assert place.run(*sources, "pause", "talks").exit_code == 0
    assert place.run("privacy", "retention", "30", "--source", "talks").exit_code == 0
    assert place.run("privacy", "rescan").exit_code == 0
    assert (listed(place)[0]["state"], listed(place)[0]["retention_days"]) == ("paused", 30)
    assert place.run(*sources, "remove", "talks").exit_code == 0
    assert [one["kind"] for one in listed(place)] == ["folder"]
