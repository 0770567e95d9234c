"""How far collecting is, and what failed, as the command line shows it."""

import json
import signal

from daemon.cli.scan_progress import how_far, scanned_text, watch_scan
from daemon.cli.source_list import sources_text
from tests.daemon.cli import fake_service
from tests.daemon.cli.conftest import Run
from tests.daemon.cli.fake_collecting import COUNTS, STEP
from tests.daemon.cli.fake_service import FakeAdmin
from tests.daemon.cli.person import Open

ADD = ("privacy", "sources", "add", ".")


def test_elsewhere_than_on_a_terminal_the_first_look_is_not_waited_for(
    run: Run, service: FakeAdmin
) -> None:
    assert "being read" in run(*ADD).stdout
    assert service.collecting.scanned == []


def test_the_first_look_is_followed_when_that_is_wanted(run: Run, service: FakeAdmin) -> None:
    result = run(*ADD, "--wait")

    assert service.collecting.scanned == ["letters"]
    assert "letters 50 % · 60 of 120 files, 5 MB of 10 MB, 2 MB/s, 2.0 s left" in result.stderr
    assert "added and read: 100 new documents from 120 files" in result.stdout


def test_json_has_the_final_counts(run: Run, service: FakeAdmin) -> None:
    answer = json.loads(run(*ADD, "--json").stdout)

    assert (answer["name"], answer["counts"]) == ("letters", COUNTS)
    assert "counts" not in json.loads(run(*ADD, "--json", "--no-wait").stdout)


def test_a_source_that_has_to_wait_says_why(run: Run, service: FakeAdmin) -> None:
    service.collecting.counts = None
    service.collecting.source = {"name": "letters", "state": "paused", "last_error": None}

    assert "It is paused now." in run(*ADD, "--wait").stdout


def test_ctrl_c_leaves_the_service_reading_and_says_so(terminal: Open, service: FakeAdmin) -> None:
    service.collecting.ends = False
    add = terminal(*ADD, "--own")
    add.wait_for("60 of 120 files")

    add.process.send_signal(signal.SIGINT)

    assert add.end() == 0, add.shown
    assert "sources list` shows how far it is" in add.shown


def test_files_that_failed_are_named_on_request(run: Run, service: FakeAdmin) -> None:
    assert "tax.pdf" not in run("privacy", "sources", "list").stdout

    said = run("privacy", "sources", "list", "--failed").stdout

    assert said == "letters:\n  encrypted  old/tax.pdf\n  and more\n"


def test_status_says_what_is_being_read(run: Run, service: FakeAdmin) -> None:
    service.status_answer = {**fake_service.STATUS, "collecting": [{"source": "letters", **STEP}]}

    assert "letters is being read: 60 of 120 files" in run("status").stdout


def test_the_list_says_how_changes_are_noticed_and_what_is_wrong() -> None:
    polled = {"watched": "polling", "why_polled": "it is far away", "last_error": "Mend it."}
    said = sources_text([{**fake_service.SOURCE, **polled, "scan": STEP}])

    assert "polling" in said.splitlines()[1]
    assert "letters is looked through now and then: it is far away." in said
    assert "letters: Mend it." in said
    assert "letters is being read: 60 of 120 files" in said


def test_what_is_not_known_yet_is_left_out() -> None:
    assert how_far({"files": 3, "bytes": 2000}) == "3 files, 2 kB"
    assert watch_scan(iter(()), "letters") == {}
    assert scanned_text("x", {}).startswith("Source x is added")
