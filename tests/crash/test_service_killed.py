"""The service is killed; what it had acknowledged is there when it is started again."""

from collections.abc import Callable, Collection, Iterator

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


def test_a_night_is_taken_up_again_wherever_it_was_ended(noted: Nightloom) -> None:
    """One night, killed as it begins, told to stop and killed as it judges and as it ends."""
    noted.start()
    wait_for(noted.admin.run_night(), lambda line: line["stage_progress"] is not None)
    noted.kill()
    number = assert_unfinished(noted)

    noted.start()
    wait_for(noted.admin.run_night(), in_state("judging"))
    assert noted.terminate() == 0
    assert assert_unfinished(noted, states=("yielding",)) == number

    noted.start()
    night = noted.admin.run_night()
    assert not any(line.get("step") for line in until_state(night, "judging"))  # none was lost
    noted.kill()
    assert assert_unfinished(noted) == number

    noted.start()
    wait_for(noted.admin.run_night(), in_state("publishing"))
    noted.kill()
    assert_whole(noted, documents=tiny.NOTES)

    noted.start()
    (killed,) = noted.admin.nights()
    if killed["state"] != "done":  # its last transaction may have been as quick as we were
        assert entry_of(noted.admin.run_night())["state"] == "done"
    (night_entry,) = noted.admin.nights()
    assert (night_entry["id"], noted.admin.status()["adapter"]) == (number, night_entry["adapter"])
    assert noted.admin.status()["pending_documents"] == 0
    assert len(noted.admin.adapters()) == 1


def in_state(state: str) -> Callable[[Json], bool]:
    return lambda line: state_of(line) == state


def until_state(night: Iterator[Json], state: str) -> Iterator[Json]:
    """All lines of progress up to the first in that state."""
    for line in night:
        yield line
        if state_of(line) == state:
            return


def assert_unfinished(place: Nightloom, states: Collection[str] = UNFINISHED) -> int:
    """A dead service's vault is whole, and its only night stands there; the night's number."""
    assert_whole(place, documents=tiny.NOTES)
    with place.open_vault() as vault:
        (kept,) = vault.ledger.nights()
        counts = vault.documents.counts()
        assert kept["state"] in states
        assert vault.shelf.current() is None
        assert counts[DocumentState.NEW] == tiny.NOTES
    return int(kept["id"])


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


def test_a_long_night_answers_a_chat_and_leaves_a_checkpoint_at_sigterm(noted: Nightloom) -> None:
    noted.configure(tiny.configuration(passes=LONG_PASSES))
    noted.start()
    night = noted.admin.run_night()
    wait_for(night, at_step(3))
    assert noted.ask("Where is the keeper?")
    status = noted.admin.status()
    assert (status["state"], status["engine"]) == ("training", "training")
    before = wait_for(night, at_step(4))
    assert wait_for(night, at_step(before["step"] + 2))["step"] < before["steps"]

    assert noted.terminate() == 0  # waits until the engine is gone, too

    with noted.open_vault() as vault:
        (kept,) = vault.ledger.nights()
        assert vault.checkpoints.names() == [f"night-{kept['id']}"]
        assert vault.verify().intact
    assert kept["state"] == "yielding"
    assert kept["steps"] >= 3
    assert not noted.home.api_socket.exists()
    noted.start()
    assert wait_for(noted.admin.run_night(), at_step(1))["step"] == kept["steps"] + 1
