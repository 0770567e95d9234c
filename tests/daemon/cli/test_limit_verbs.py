"""Exclusions, retention, pauses and the deletion of adapters, as they are typed and answered."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import text
from ipc.errors import OperationError
from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open

Json = dict[str, Any]

UNTIL = 1_795_000_000.0


def test_an_exclusion_is_added_listed_and_removed(run: Run, service: FakeAdmin) -> None:
    said = run("privacy", "exclude", "add", "~/letters/*.md").stdout
    assert "3 documents are removed from the vault" in said
    assert "stays in the adapters until" in said
    assert "/home/anselm/letters/private" in run("privacy", "exclude", "list").stdout
    assert "is being read" in run("privacy", "exclude", "remove", "*.secret").stdout
    assert service.limits.asked == [
        ("exclude", {"glob": "~/letters/*.md"}),
        ("exclusions", {}),
        ("include_again", {"glob": "*.secret"}),
    ]


def test_an_exclusion_that_removes_nothing_says_so(run: Run, service: FakeAdmin) -> None:
    service.limits.removed = 0
    assert "Nothing in the vault" in run("privacy", "exclude", "add", "*.x").stdout
    service.limits.globs = []
    assert "No exclusions" in run("privacy", "exclude", "list").stdout
    assert json.loads(run("privacy", "exclude", "list", "--json").stdout) == {"globs": []}


def test_retention_is_set_for_one_source_or_all_and_lifted(run: Run, service: FakeAdmin) -> None:
    assert "kept for 90 days. 3 documents are removed" in run("privacy", "retention", "90").stdout
    run("privacy", "retention", "1", "--source", "notes", "--yes")
    assert "however old" in run("privacy", "retention", "off").stdout
    assert service.limits.asked == [
        ("count_older", {"days": 90, "source": None}),
        ("set_retention", {"days": 90, "source": None}),
        ("set_retention", {"days": 1, "source": "notes"}),
        ("set_retention", {"days": None, "source": None}),
    ]


def test_retention_without_days_shows_what_holds(run: Run, service: FakeAdmin) -> None:
    service.limits.waits = "Old text is removed when the night that runs has ended."
    said = run("privacy", "retention").stdout
    assert "letters  90 days" in said
    assert "notes    all" in said
    assert "when the night" in said
    answer = json.loads(run("privacy", "retention", "--json").stdout)
    assert answer["sources"][0] == {"name": "letters", "days": 90}


def test_documents_are_not_removed_without_a_yes(run: Run, service: FakeAdmin) -> None:
    service.limits.older = 12
    result = run("privacy", "retention", "30")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert [verb for verb, _ in service.limits.asked] == ["count_older"]


def test_a_person_is_asked_before_documents_are_removed(terminal: Open, service: FakeAdmin) -> None:
    service.limits.older = 12
    person = terminal("privacy", "retention", "30")
    person.wait_for("12 documents in the vault are older")
    person.type("n")
    assert person.end() == 1
    person = terminal("privacy", "retention", "30")
    person.wait_for("Go on?")
    person.type("y")
    person.wait_for("kept for 30 days")
    assert person.end() == 0


@pytest.mark.parametrize("days", ["0", "-3", "ten", "1.5", "36501", "99999999999999999999"])
def test_days_that_are_none_are_a_usage_error(run: Run, service: FakeAdmin, days: str) -> None:
    result = run("privacy", "retention", "--", days)
    assert result.exit_code == 2
    assert "1 to 36500" in result.stderr
    assert service.limits.asked == []


def test_a_source_is_paused_and_resumed(run: Run, service: FakeAdmin) -> None:
    assert "is paused" in run("privacy", "sources", "pause", "my/näme").stdout
    assert "being read" in run("privacy", "sources", "resume", "my/näme").stdout
    assert service.limits.asked == [
        ("pause_source", {"name": "my/näme"}),
        ("resume_source", {"name": "my/näme"}),
    ]


def test_everything_is_paused_for_a_time_or_until_it_is_resumed(
    run: Run, service: FakeAdmin
) -> None:
    assert run("pause").stdout == "Paused. `nightloom resume` goes on.\n"
    service.limits.until = UNTIL
    assert f"Paused until {text.moment(UNTIL)}" in run("pause", "--for", "1h30m").stdout
    assert run("resume").stdout == "The pause is over.\n"
    assert [given.get("seconds") for _, given in service.limits.asked[:2]] == [None, 5400.0]


def test_a_length_of_time_that_is_none_says_how_to_write_one(run: Run, service: FakeAdmin) -> None:
    result = run("pause", "--for", "soon")
    assert result.exit_code == 2
    assert "such as 30m or 2h" in result.stderr
    assert service.limits.asked == []


def test_a_refusal_is_one_sentence_and_its_exit_code(run: Run, service: FakeAdmin) -> None:
    service.limits.refusal = OperationError("refused", "A night runs now.")
    result = run("pause")
    assert result.exit_code == 5
    assert result.stderr.endswith("A night runs now.\n")


def test_status_says_what_stands_in_the_way(run: Run, service: FakeAdmin) -> None:
    assert "bound" not in run("status").stdout
    service.status_answer = fake_service.STATUS | {
        "paused": True,
        "until": UNTIL,
        "vault_is_full": True,
        "vault_limit_bytes": 2_000_000_000,
        "adapters_bytes": 3_000_000_000,
        "adapters_limit_bytes": 1_000_000_000,
        "retention_waits": "The clock is behind; set it, and old text is removed.",
    }
    said = run("status").stdout
    assert f"Paused until {text.moment(UNTIL)}" in said
    assert "bound of 2.00 GB" in said
    assert "3.00 GB of 1.00 GB" in said
    assert "The clock is behind" in said


def test_a_pinned_adapter_is_marked_in_the_list(run: Run, service: FakeAdmin) -> None:
    service.adapter_list = [
        fake_service.ADAPTER | {"pinned": True},
        fake_service.ADAPTER | {"pinned": True, "status": "available"},
    ]
    said = run("adapters", "list").stdout
    assert said.count("pinned") == 1


# --------------------------------------------------------------------------- hostile bodies


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/exclusions", {"glob": ""}),
        ("/exclusions", {"glob": 7}),
        ("/retention", {"days": "30"}),
        ("/retention", {"days": True}),
        ("/retention/count", {}),
        ("/pause", {"seconds": -1}),
        ("/pause", {"seconds": "1h"}),
        ("/pause", {"seconds": 1e300}),
    ],
)
def test_a_body_that_makes_no_sense_is_a_usage_error(
    service: FakeAdmin, home: Path, route: str, body: Json
) -> None:
    from ipc.client import AdminClient

    client = AdminClient(home / "run" / "admin" / "admin.sock")
    with pytest.raises(OperationError) as refused:
        client._object("POST", route, body)
    assert refused.value.code == "usage"
    assert service.limits.asked == []
