"""Inside the engine: what comes over the link becomes jobs, and clients go first."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.engine import Desk, Job, Reader, work
from ipc.link import BlockingLink, Message

SOON_SECONDS = 10.0


class Service:
    """The other end of the link, and the desk that fills."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.link = BlockingLink(ours)
        self.engine_link = BlockingLink(theirs)
        self.desk = Desk()
        self.reading = threading.Thread(target=Reader(self.engine_link, self.desk).run)
        self.reading.start()

    def send(self, body: bytes = b"", **header: Any) -> None:
        self.link.send(Message(header=header, body=body))

    def hang_up(self) -> None:
        self.link.close()
        self.reading.join(SOON_SECONDS)
        self.engine_link.close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.hang_up()
    assert not made.reading.is_alive()


def taken(desk: Desk) -> Job:
    job = desk.take()
    assert job is not None
    return job


def arrived(desk: Desk, number: int) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while desk.find(number) is None:
        assert time.monotonic() < deadline


def test_attachments_belong_to_the_request_that_follows_them(service: Service) -> None:
    service.send(b"one", id=1, attach="text", key=7)
    service.send(b"two", id=2, attach="text", key=8)
    service.send(id=2, op="judge")
    service.send(b"all", id=1, op="train", parameters={"seed": 3})
    other, job = taken(service.desk), taken(service.desk)  # patient work keeps its order
    assert [bytes(one.body) for one in other.attachments] == [b"two"]
    assert (job.number, job.op, job.parameters, job.body) == (1, "train", {"seed": 3}, b"all")
    assert [one.header["key"] for one in job.attachments] == [7]


def test_clients_go_before_patient_work(service: Service) -> None:
    service.send(id=1, op="train")
    service.send(id=2, op="generate")
    service.send(id=3, op="judge")
    service.send(id=4, op="go_on")
    arrived(service.desk, 4)
    assert [taken(service.desk).number for _ in range(4)] == [2, 4, 1, 3]


def test_only_a_client_takes_the_model_from_what_runs(service: Service) -> None:
    service.send(id=1, op="train")
    taken(service.desk)
    service.send(id=2, op="judge")
    arrived(service.desk, 2)
    assert service.desk.take_urgent() is None
    service.send(id=3, op="generate")
    arrived(service.desk, 3)
    assert service.desk.urgent_waits()
    urgent = service.desk.take_urgent()
    assert urgent is not None
    assert urgent.number == 3
    assert service.desk.take_urgent() is None


def test_cancel_and_stop_reach_their_job_and_no_other(service: Service) -> None:
    service.send(id=1, op="train")
    service.send(id=2, op="generate")
    jobs = {job.number: job for job in (taken(service.desk), taken(service.desk))}
    service.send(id=0, op="stop_training", target=1)
    service.send(id=0, op="cancel", target=2)
    assert jobs[1].stop.wait(SOON_SECONDS)
    assert jobs[2].cancelled.wait(SOON_SECONDS)
    assert jobs[1].unwanted
    assert not jobs[1].cancelled.is_set()
    assert not jobs[2].stop.is_set()


def test_a_stop_that_overtakes_its_request_is_kept_for_it(service: Service) -> None:
    service.send(b"text", id=1, attach="text")
    service.send(id=0, op="stop_training", target=1)
    service.send(id=1, op="train")
    job = taken(service.desk)
    assert job.stop.is_set()
    assert len(job.attachments) == 1


def test_while_patient_work_is_held_only_clients_are_given_work(service: Service) -> None:
    service.send(id=1, op="train")
    service.send(id=2, op="hold")
    arrived(service.desk, 2)
    assert taken(service.desk).op == "hold"
    service.desk.held = True
    service.send(id=3, op="generate")
    arrived(service.desk, 3)
    assert taken(service.desk).number == 3
    service.send(id=4, op="go_on")
    assert taken(service.desk).op == "go_on"
    service.desk.held = False
    assert taken(service.desk).number == 1


def test_held_work_that_nobody_wants_is_given_out_so_that_it_is_answered(service: Service) -> None:
    service.desk.held = True
    service.send(id=1, op="train")
    arrived(service.desk, 1)
    service.send(id=0, op="stop_training", target=1)
    assert taken(service.desk).stop.is_set()


def test_a_word_waits_for_no_answer_and_a_chat_does(service: Service) -> None:
    for number, op in enumerate(["generate", "go_on", "hold", "generate"], start=1):
        service.send(id=number, op=op)
    arrived(service.desk, 4)
    short = [service.desk.take_urgent(chats=False) for _ in range(3)]
    assert [job and job.op for job in short] == ["go_on", "hold", None]
    assert not service.desk.urgent_waits(chats=False)
    assert service.desk.urgent_waits()
    chats = [service.desk.take_chat() for _ in range(3)]
    assert [job and job.number for job in chats] == [1, 4, None]


def test_chats_that_took_too_much_wait_until_patient_work_has_had_a_turn(service: Service) -> None:
    service.send(id=1, op="train")
    service.send(id=2, op="generate")
    service.send(id=3, op="hold")
    arrived(service.desk, 3)
    service.desk.chats_wait = True
    assert [taken(service.desk).number for _ in range(3)] == [3, 1, 2]


def test_a_chat_that_found_no_room_is_the_next_again(service: Service) -> None:
    service.send(id=1, op="generate")
    service.send(id=2, op="generate")
    arrived(service.desk, 2)
    service.desk.put_back(taken(service.desk))
    assert [taken(service.desk).number for _ in range(2)] == [1, 2]


# --------------------------------------------------------------------------- unpacking


def test_an_adapter_is_made_ready_beside_the_model_and_its_drop_comes_after_it(
    service: Service,
) -> None:
    begin = threading.Event()

    def unpack(job: Job) -> str:
        assert begin.wait(SOON_SECONDS)
        assert threading.current_thread().name == "unpacking"
        return bytes(job.body).decode()

    service.desk.unpack = unpack
    service.send(b"bytes", id=1, op="adapter_load")
    service.send(id=2, op="adapter_drop")
    service.send(id=3, op="generate")
    arrived(service.desk, 3)
    assert taken(service.desk).number == 3, "nobody waits for it"
    begin.set()
    loads, drops = taken(service.desk), taken(service.desk)
    assert (loads.number, loads.unpacked, drops.number) == (1, "bytes", 2)


def test_what_is_wrong_with_an_adapter_is_told_by_the_model_thread(service: Service) -> None:
    def unpack(job: Job) -> None:
        raise ValueError

    service.desk.unpack = unpack
    service.send(id=1, op="adapter_load")
    assert isinstance(taken(service.desk).unpacked, ValueError)


def test_an_adapter_that_nobody_wants_any_more_is_not_even_opened(service: Service) -> None:
    begin, opened = threading.Event(), []

    def unpack(job: Job) -> None:
        opened.append(job.number)
        assert begin.wait(SOON_SECONDS)

    service.desk.unpack = unpack
    service.send(id=1, op="adapter_load")
    service.send(id=2, op="adapter_load")
    arrived(service.desk, 2)
    service.send(id=0, op="cancel", target=2)
    second = service.desk.find(2)
    assert second is not None
    assert second.cancelled.wait(SOON_SECONDS)
    begin.set()
    assert [taken(service.desk).number for _ in range(2)] == [1, 2]
    assert opened == [1]


def test_what_was_attached_to_a_request_that_never_came_is_forgotten(service: Service) -> None:
    service.send(b"text", id=1, attach="text")
    service.send(id=0, op="cancel", target=1)
    service.send(id=1, op="train")
    assert taken(service.desk).attachments == []


def test_a_finished_job_can_no_longer_be_cancelled(service: Service) -> None:
    service.send(id=1, op="generate")
    job = taken(service.desk)
    service.desk.finished(job)
    assert service.desk.find(1) is None


@pytest.mark.parametrize(
    "nonsense", [{}, {"id": "one", "op": "train"}, {"id": 1}, {"id": 0, "op": "cancel"}]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_can_no_longer_follow_ends(
    service: Service, nonsense: dict[str, Any]
) -> None:
    """Better than one that lives on and hears nothing."""
    service.send(**nonsense)
    assert service.desk.take() is None


def test_when_the_service_is_gone_what_runs_is_told_and_the_work_ends(service: Service) -> None:
    done: list[int] = []

    class Model:
        def do(self, job: Job) -> None:
            service.link.close()
            assert job.cancelled.wait(SOON_SECONDS)
            assert job.stop.is_set()
            done.append(job.number)

    service.send(id=1, op="train")
    service.send(id=2, op="judge")
    work(service.desk, service.engine_link, lambda desk, link: Model())
    assert done == [1]
