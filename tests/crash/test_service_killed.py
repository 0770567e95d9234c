"""The service is killed; what it had acknowledged is there when it is started again."""

from collections.abc import Iterator

import pytest

from daemon.night_record import UNFINISHED
from storage.records import DocumentState
from tests.pipeline import tiny
from tests.pipeline.living import (
    Json,
    Nightloom,
    at_step,
    entry_of,
    state_of,
    until,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

LONG_PASSES = 100  # a night that is still training when a test has done what it does
MANY = 1500


def assert_whole(place: Nightloom, *, documents: int) -> None:
    """The vault of a dead service opens, and nothing of what it had acknowledged is missing."""
    with place.open_vault() as vault:
        counts = vault.documents.counts()
        assert sum(counts.values()) - counts[DocumentState.SUPERSEDED] >= documents
        assert vault.verify().intact
        assert not vault.opening.witness_missing


def test_a_night_goes_on_from_its_checkpoint_when_the_service_is_killed(noted: Nightloom) -> None:
    noted.configure(tiny.configuration(passes=4))
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, at_step(3))
    noted.admin.stop_night()
    checkpoint = entry_of(night)
    wait_for(noted.admin.run_night(), at_step(checkpoint["steps"] + 5))
    noted.kill()  # waits until its engine is gone as well
    assert_whole(noted, documents=tiny.NOTES)

    noted.start()
    (interrupted,) = noted.admin.nights()
    assert interrupted["state"] == "training"
    assert "nightloom night run --now" in interrupted["sentence"]
    night = noted.admin.run_night()
    first = wait_for(night, at_step(1))
    entry = entry_of(night)

    assert first["step"] == checkpoint["steps"] + 1
    assert (entry["id"], entry["state"]) == (checkpoint["id"], "done")
    a_step = first["tokens"] / first["step"]
    assert entry["steps"] - 1 < entry["tokens"] / a_step <= entry["steps"]  # each counted once
    assert len(noted.admin.nights()) == 1


@pytest.mark.parametrize("state", ["preparing", "judging", "publishing"])
def test_a_night_is_taken_up_again_wherever_it_was_killed(noted: Nightloom, state: str) -> None:
    noted.start()
    planned = {"preparing": lambda line: line["stage_progress"] is not None}
    in_state = planned.get(state, lambda line: state_of(line) == state)
    wait_for(noted.admin.run_night(), in_state)
    noted.kill()
    assert_whole(noted, documents=tiny.NOTES)

    noted.start()
    (killed,) = noted.admin.nights()
    if killed["state"] == "done":  # its last transaction was as quick as we were
        assert state == "publishing"
    else:
        assert killed["state"] in UNFINISHED
        assert noted.admin.status()["adapter"] is None
        assert noted.admin.status()["pending_documents"] == tiny.NOTES
        entry = entry_of(noted.admin.run_night())
        assert (entry["id"], entry["state"]) == (killed["id"], "done")
    (night,) = noted.admin.nights()
    assert noted.admin.status()["adapter"] == night["adapter"]
    assert noted.admin.status()["pending_documents"] == 0
    assert len(noted.admin.adapters()) == 1


def test_what_was_collected_is_kept_when_the_service_is_killed(noted: Nightloom) -> None:
    folder = noted.root / "many"
    for number in range(MANY):
        file = folder / str(number % 30) / f"{number}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(tiny.note(10_000 + number, words=20))
    noted.start()
    noted.admin.add_source(str(folder))

    def collected() -> int:
        return int(noted.admin.status()["documents"])

    until(lambda: collected() > tiny.NOTES)
    acknowledged = collected()
    noted.kill()
    assert_whole(noted, documents=acknowledged)

    noted.start()
    noted.admin.rescan()
    assert collected() == tiny.NOTES + MANY
    noted.kill()
    assert_whole(noted, documents=tiny.NOTES + MANY)


@pytest.fixture
def in_mid_night(noted: Nightloom) -> tuple[Nightloom, Iterator[Json]]:
    """A home whose night trains for longer than anybody waits."""
    noted.configure(tiny.configuration(passes=LONG_PASSES))
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, at_step(3))
    return noted, night


def test_sigterm_in_mid_night_leaves_a_checkpoint_and_no_process(
    in_mid_night: tuple[Nightloom, Iterator[Json]],
) -> None:
    place, _ = in_mid_night
    assert place.engine_pid() is not None

    assert place.terminate() == 0  # waits until the engine is gone, too

    with place.open_vault() as vault:
        (kept,) = vault.ledger.nights()
        assert vault.checkpoints.names() == [f"night-{kept['id']}"]
        assert vault.verify().intact
    assert kept["state"] == "yielding"
    assert kept["steps"] >= 3
    assert not place.home.api_socket.exists()
    place.start()
    assert wait_for(place.admin.run_night(), at_step(1))["step"] == kept["steps"] + 1


def test_sigterm_while_a_night_is_judged_costs_no_step(noted: Nightloom) -> None:
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, lambda line: state_of(line) == "judging")

    assert noted.terminate() == 0

    with noted.open_vault() as vault:
        (kept,) = vault.ledger.nights()
        assert (kept["state"], vault.shelf.current()) == ("yielding", None)
        assert vault.verify().intact
    noted.start()
    lines = list(noted.admin.run_night())
    assert [line["step"] for line in lines if line.get("step")] == []
    assert (lines[-1]["night"]["id"], lines[-1]["night"]["state"]) == (kept["id"], "done")


def test_chat_is_answered_before_a_long_night_ends(
    in_mid_night: tuple[Nightloom, Iterator[Json]],
) -> None:
    place, night = in_mid_night
    assert place.ask("Where is the keeper?")
    status = place.admin.status()
    assert (status["state"], status["engine"]) == ("training", "training")
    before = wait_for(night, at_step(4))
    assert wait_for(night, at_step(before["step"] + 2))["step"] < before["steps"]
