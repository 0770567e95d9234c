"""`admin.sock` as the command line uses it, through `AdminClient`."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ipc.client import AdminClient
from ipc.errors import AnswerCutShort, NotRunning, OperationCode, OperationError
from ipc.server import Limits
from tests.ipc.serving import SOON_SECONDS, Administration, house

Json = dict[str, Any]


def test_every_operation_reaches_the_service_and_comes_back(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served, served.admin as admin:
        assert admin.status() == {"did": "status"}
        assert admin.why() == {"did": "why"}
        assert admin.sources() == [{"did": "sources"}]
        assert admin.rescan() == {"did": "rescan"}
        assert admin.preview() == {"did": "preview"}
        assert admin.stop_night() == {"did": "stop_night"}
        assert admin.nights() == [{"did": "nights", "count": None}]
        assert admin.nights(3) == [{"did": "nights", "count": 3}]
        assert list(admin.night_passages()) == [{"did": "night_passages", "night": None}]
        assert list(admin.night_passages(7)) == [{"did": "night_passages", "night": 7}]
        assert admin.adapters() == [{"did": "adapters"}]
        assert admin.use_adapter("0123456789ab") == {
            "did": "use_adapter",
            "adapter": "0123456789ab",
        }
        assert admin.rollback() == {"did": "rollback"}
        assert admin.bases() == [{"did": "bases"}]


def test_a_source_arrives_as_it_was_named(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served, served.admin as admin:
        assert admin.add_source("/home/a/Notizen", include=["*.md"]) == {
            "did": "add_source",
            "name": None,
            "kind": "folder",
            "path": "/home/a/Notizen",
            "include": ["*.md"],
            "exclude": [],
            "me": [],
            "own": True,
            "keep_deleted": True,
        }
        for name in ("notes", "a/b c?d#e%2F", "Tagebücher 🐝"):
            assert admin.remove_source(name)["name"] == name


def test_a_night_is_followed_to_its_log(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        assert list(served.admin.run_night()) == [
            {"state": "training", "steps": 3},
            {"id": 1, "state": "done", "verdict": "passed"},
        ]


def test_nights_are_asked_for_on_battery_and_paused(tmp_path: Path) -> None:
    administration = Administration()
    with house(tmp_path / "run", administration=administration) as served:
        list(served.admin.run_night(on_battery=True))
        asked = [administration.on_battery]
        assert served.ask("POST", "/night", path=served.admin_path).status == 200  # no body
        assert [*asked, administration.on_battery] == [True, False]
        assert served.admin.pause_nights(60.0)["seconds"] == 60.0
        assert served.admin.pause_nights()["seconds"] is None
        assert served.admin.resume_nights() == {"did": "resume_nights"}
        with pytest.raises(OperationError, match="above 0"):
            served.admin.pause_nights(-1.0)


def test_progress_comes_while_the_night_runs(tmp_path: Path) -> None:
    seen = threading.Event()

    async def night() -> AsyncGenerator[Json, None]:
        yield {"steps": 1}
        await asyncio.to_thread(seen.wait, SOON_SECONDS)
        yield {"seen": seen.is_set()}

    with house(tmp_path / "run", administration=Administration(night=night)) as served:
        lines = served.admin.run_night()
        assert next(lines) == {"steps": 1}
        seen.set()
        assert next(lines) == {"seen": True}


@pytest.mark.parametrize("begun", [False, True], ids=["at once", "later"])
def test_a_night_that_cannot_be_says_why(tmp_path: Path, begun: bool) -> None:
    async def night() -> AsyncGenerator[Json, None]:
        if begun:
            yield {"state": "preparing"}
        raise OperationError("refused", "1,200 tokens are missing.")

    heard: list[Json] = []
    with (
        house(tmp_path / "run", administration=Administration(night=night)) as served,
        pytest.raises(OperationError, match=r"1,200 tokens are missing\.") as caught,
    ):
        heard.extend(served.admin.run_night())
    assert caught.value.code == "refused"


@pytest.mark.parametrize(
    ("code", "status"),
    [("failed", 500), ("usage", 400), ("locked", 423), ("not_running", 503), ("refused", 403)],
)
def test_an_error_crosses_with_its_code_and_its_sentence(
    tmp_path: Path, code: OperationCode, status: int
) -> None:
    administration = Administration(error=OperationError(code, "A clear sentence."))
    with house(tmp_path / "run", administration=administration) as served:
        with pytest.raises(OperationError) as caught:
            served.admin.status()
        assert (caught.value.code, str(caught.value)) == (code, "A clear sentence.")
        reply = served.ask("GET", "/status", path=served.admin_path)
    assert reply.status == status
    assert json.loads(reply.body) == {"error": {"message": "A clear sentence.", "code": code}}


def test_an_unforeseen_failure_tells_nothing_private(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    administration = Administration(error=KeyError("the text of a diary"))
    with (
        house(tmp_path / "run", administration=administration) as served,
        pytest.raises(OperationError) as caught,
    ):
        served.admin.preview()
    assert caught.value.code == "failed"
    assert "diary" not in str(caught.value)
    assert "KeyError at serving.py" in caplog.text
    assert "diary" not in caplog.text


@pytest.mark.parametrize(
    ("method", "route", "body", "complaint"),
    [
        ("POST", "/sources", b"{", "not JSON"),
        ("POST", "/sources", b"[]", "JSON object"),
        ("POST", "/sources", b"{}", "`path`"),
        ("POST", "/sources", b'{"path": 1}', "`path`"),
        ("POST", "/sources", b'{"path": "/a", "include": "*.md"}', "`include`"),
        ("POST", "/sources", b'{"path": "/a", "name": ["b"]}', "`name`"),
        ("POST", "/adapters/use", b"{}", "`adapter`"),
        ("GET", "/nights?count=0", None, "`count`"),
        ("GET", "/nights?count=-1", None, "`count`"),
        ("GET", "/nights?count=many", None, "`count`"),
    ],
)
def test_a_wrong_request_is_a_usage_error_that_names_the_field(
    tmp_path: Path, method: str, route: str, body: bytes | None, complaint: str
) -> None:
    with house(tmp_path / "run") as served:
        reply = served.ask(method, route, body, path=served.admin_path)
    error = json.loads(reply.body)["error"]
    assert reply.status == 400
    assert error["code"] == "usage"
    assert complaint in error["message"]


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [("GET", "/vault", 404), ("GET", "/rescan", 405), ("GET", "/v1/models", 404)],
)
def test_a_wrong_route_is_an_error_object_too(
    tmp_path: Path, method: str, route: str, status: int
) -> None:
    with house(tmp_path / "run") as served:
        reply = served.ask(method, route, path=served.admin_path)
    assert reply.status == status
    assert json.loads(reply.body)["error"]["code"] == "usage"


def test_the_api_socket_offers_no_operation(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        for route in ("/status", "/sources", "/preview", "/nights", "/adapters"):
            assert served.ask("GET", route).status == 404
        assert served.ask("POST", "/shutdown").status == 404
        assert not served.administration.shut.is_set()


def test_a_shutdown_is_answered_before_it_happens(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        assert served.admin.shut_down() == {"did": "shut_down"}
        assert served.administration.shut.is_set()


def test_nobody_listening_is_said_as_such(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        admin = served.admin
    with pytest.raises(NotRunning, match="nightloom run"):
        admin.status()
    with pytest.raises(NotRunning):
        next(AdminClient(tmp_path / "never.sock").run_night())


def test_a_service_that_ends_while_it_looks_through_a_source_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def end_after_the_request() -> None:
            arrived, _ = listening.accept()
            with arrived:
                arrived.recv(1)

        service = threading.Thread(target=end_after_the_request)
        service.start()
        with pytest.raises(AnswerCutShort):
            AdminClient(path).add_source("/home/a/Export", kind="chats")
        service.join()


def test_a_service_that_ends_in_mid_night_is_noticed(tmp_path: Path) -> None:
    async def night() -> AsyncGenerator[Json, None]:
        yield {"steps": 1}
        await asyncio.Event().wait()

    with house(
        tmp_path / "run",
        administration=Administration(night=night),
        limits=Limits(stop_seconds=0.05),
    ) as served:
        lines = served.admin.run_night()
        assert next(lines) == {"steps": 1}
    with pytest.raises(AnswerCutShort):
        next(lines)
