"""Who asked what: the kernel names the other end, and no text is told."""

import json
import os
import queue
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipc.asking import Asked
from ipc.peer import Peer, peer_of, program_name
from tests.ipc.serving import PINNED, SOON_SECONDS, House, Talker, failing, house, saying

SECRET = "seventeen quiet herons"
BODY = json.dumps({"model": "personal", "messages": [{"role": "user", "content": SECRET}]})


@contextmanager
def told(place: Path, **given: object) -> Generator[tuple[House, Callable[[], Asked]], None, None]:
    """A house, and what is told next of who asked."""
    seen: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    with house(place / "run", account=seen.put, **given) as served:  # type: ignore[arg-type]
        yield served, lambda: seen.get(timeout=SOON_SECONDS)
        assert seen.empty()


def test_the_other_end_of_a_socket_is_named() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = peer_of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert peer.program.split(" ")[0] == Path("/proc/self/comm").read_text().strip()


def test_who_cannot_be_named_is_nobody() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    theirs.close()
    ours.close()
    assert peer_of(ours) == Peer()
    assert program_name(2**22 + 1) == "?"


def test_an_operation_is_told_by_its_route_and_who_asked(tmp_path: Path) -> None:
    with told(tmp_path) as (served, next_one):
        served.admin.status()
        first = next_one()
        served.admin.remove_source(SECRET)
        second = next_one()
    assert first == Asked(socket="admin", peer=first.peer, what="GET /status")
    assert (first.peer.pid, first.peer.uid) == (os.getpid(), os.geteuid())
    assert second.what == "DELETE /sources/{name}"


def test_a_route_that_a_client_made_up_is_not_repeated(tmp_path: Path) -> None:
    with told(tmp_path) as (served, next_one):
        served.ask("GET", "/seventeen/quiet/herons", path=served.admin_path)
        assert next_one().what == "GET ?"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_told_by_the_model_that_gave_it_and_its_tokens(
    tmp_path: Path, stream: bool
) -> None:
    with told(tmp_path, answer=saying("So much ", "for Sunday.")) as (served, next_one):
        body = json.loads(BODY) | {"stream": stream}
        served.post("/v1/chat/completions", json.dumps(body).encode())
        asked = next_one()
    assert (asked.socket, asked.what, asked.tokens) == ("api", PINNED, 5 + 2)
    assert asked.peer.pid == os.getpid()
    assert SECRET not in repr(asked)


def test_an_answer_that_failed_is_told_with_what_there_was_of_it(tmp_path: Path) -> None:
    answer = failing(RuntimeError(SECRET), after=("So ", "much"))
    with told(tmp_path, answer=answer) as (served, next_one):
        served.post("/v1/completions", json.dumps({"model": "base", "prompt": SECRET}).encode())
        asked = next_one()
    assert (asked.what, asked.tokens) == (PINNED, 5 + 2)


def test_an_answer_that_nobody_waited_for_is_told(tmp_path: Path) -> None:
    talker = Talker()
    with told(tmp_path, answer=talker) as (served, next_one):
        pieces = served.model.chat([{"role": "user", "content": SECRET}])
        next(pieces)
        pieces.close()
        asked = next_one()
        assert talker.stopped.wait(SOON_SECONDS)
    assert asked.what == PINNED
    assert asked.tokens > 5


def test_a_refused_request_is_told_without_what_it_said(tmp_path: Path) -> None:
    with told(tmp_path) as (served, next_one):
        served.post("/v1/chat/completions", SECRET.encode())
        assert next_one() == Asked(socket="api", peer=peer_here(), what="refused")


def test_the_list_of_models_is_told_and_a_look_whether_somebody_listens_is_not(
    tmp_path: Path,
) -> None:
    with told(tmp_path) as (served, next_one):
        served.ask("GET", "/health")
        served.ask("GET", "/v1/models")
        assert next_one().what == "models"


def peer_here() -> Peer:
    return Peer(program=program_name(os.getpid()), pid=os.getpid(), uid=os.geteuid())
