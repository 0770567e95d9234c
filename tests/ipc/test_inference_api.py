"""`api.sock` on the wire: events, headers, refusals. What programs see is in test_openai_client."""

import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ipc.client_calls import UnixConnection
from ipc.errors import EngineUnavailable, PromptTooLong, QueueFull, RequestError, UnknownModel
from ipc.inference import Finished, GenerationRequest, Loading, TextPiece
from ipc.server import Limits
from tests.ipc.serving import (
    PINNED,
    SOON_SECONDS,
    Events,
    Silent,
    Talker,
    failing,
    house,
    saying,
)

CHAT = "/v1/chat/completions"
SECRET = "the text of a diary"


def asking(**fields: Any) -> bytes:
    messages = [{"role": "user", "content": SECRET}]
    return json.dumps({"model": "personal", "messages": messages} | fields).encode()


def events(body: bytes) -> list[str]:
    """What stands between the empty lines of an event stream."""
    assert body.endswith(b"\n\n")
    return body.decode("ascii").removesuffix("\n\n").split("\n\n")


# --------------------------------------------------------------------------- streams


def test_a_stream_is_events_and_ends_with_done(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=saying("one\ntwo\u2028three", "")) as served:
        reply = served.post(CHAT, asking(stream=True))
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["Cache-Control"] == "no-store"
    lines = events(reply.body)
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    assert lines[-1] == "data: [DONE]"
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines[:-1]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "one\ntwo\u2028three"},
        {},
    ]


def test_a_silent_stream_is_pinged_until_it_speaks(tmp_path: Path) -> None:
    silent = Silent()
    limits = Limits(ping_seconds=0.05)
    with house(tmp_path / "run", answer=silent, limits=limits) as served:
        answer = served.model.chat([{"role": "user", "content": "?"}])
        connection = UnixConnection(served.api_path, timeout=SOON_SECONDS)
        connection.request("POST", CHAT, asking(stream=True))
        response = connection.getresponse()
        assert response.status == 200
        assert response.read1(100) == b": ping\n\n"
        silent.let_go.set()
        rest = response.read()
        connection.close()
        assert "".join(answer) == "done", "clients read over the pings"
    assert events(rest)[-1] == "data: [DONE]"


async def loads(request: GenerationRequest) -> Events:
    for share in (0.0, 0.404, 2.0):
        yield Loading(share=share)
    async for event in saying("They ")(request):
        yield event
        yield Loading(share=0.5)  # of no interest any more


def test_loading_is_told_as_comments_before_the_first_event(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=loads) as served:
        lines = events(served.post(CHAT, asking(stream=True)).body)
        assert json.loads(served.post(CHAT, asking()).body)["choices"]
    assert lines[:3] == [": loading 0 %", ": loading 40 %", ": loading 100 %"]
    assert all(line.startswith("data: ") for line in lines[3:])


def test_an_error_in_mid_stream_is_the_last_event(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=failing(RuntimeError(SECRET), after=("They ",))) as served:
        reply = served.post(CHAT, asking(stream=True))
    last = json.loads(events(reply.body)[-1].removeprefix("data: "))
    assert last["error"]["code"] == "internal_error"
    assert SECRET not in reply.body.decode()


async def stops_short(_request: GenerationRequest) -> Events:
    async for event in saying("They ")(_request):
        if not isinstance(event, Finished):
            yield event


async def speaks_unasked(_request: GenerationRequest) -> Events:
    yield TextPiece(text="They ")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_without_an_end_is_not_passed_off_as_whole(tmp_path: Path, stream: bool) -> None:
    with house(tmp_path / "run", answer=stops_short) as served:
        reply = served.post(CHAT, asking(stream=stream))
    assert b"engine_unavailable" in reply.body
    assert b"[DONE]" not in reply.body
    assert reply.status == (200 if stream else 503)


def test_a_backend_that_does_not_begin_is_unavailable(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=speaks_unasked) as served:
        assert served.post(CHAT, asking(stream=True)).status == 503
        assert served.post(CHAT, asking()).status == 503


# --------------------------------------------------------------------------- requests


def test_no_train_is_heeded(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        for headers in ({}, {"X-No-Train": "1"}, {"x-no-train": "true"}, {"X-No-Train": "0"}):
            assert served.post(CHAT, asking(), headers).status == 200
        allowed = [request.train_allowed for request in served.inference.requests]
    assert allowed == [True, False, False, True]


def test_who_asks_is_the_process_and_whom_it_speaks_for(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        for headers in ({}, {"X-Nightloom-Client": "k1"}, {"X-Nightloom-Client": "k" * 99}):
            assert served.post(CHAT, asking(), headers).status == 200
        clients = [request.client for request in served.inference.requests]
    assert clients == [f"{os.getpid()}/{whom}" for whom in ("", "k1", "k" * 64)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff{}",
        b'{"model": NaN}',
        b"[" * 200_000,
        b'{"seed": ' + b"1" * 5000 + b"}",
        b"[]",
        b'"text"',
    ],
    ids=["empty", "cut", "not UTF-8", "NaN", "deep", "long number", "list", "string"],
)
def test_a_body_that_is_no_json_object_is_refused(tmp_path: Path, body: bytes) -> None:
    with house(tmp_path / "run") as served:
        reply = served.post(CHAT, body)
        assert served.ask("GET", "/health").status == 200
    assert reply.status == 400
    assert json.loads(reply.body)["error"]["type"] == "invalid_request_error"


def test_a_wrong_field_is_named_in_the_error_object(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        reply = served.post(CHAT, asking(n=9))
        assert served.inference.requests == []
    assert reply.status == 400
    assert json.loads(reply.body) == {
        "error": {
            "message": "`n` must be between 1 and 8.",
            "type": "invalid_request_error",
            "param": "n",
            "code": None,
        }
    }


def test_wrong_routes_and_methods_are_error_objects(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        unknown = served.ask("GET", "/v1/embeddings")
        wrong = served.ask("GET", CHAT)
    assert (unknown.status, json.loads(unknown.body)["error"]["code"]) == (404, "unknown_route")
    assert (wrong.status, json.loads(wrong.body)["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "POST"


def test_health_asks_the_model_nothing(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        reply = served.ask("GET", "/health")
        assert (reply.status, json.loads(reply.body)) == (200, {"status": "ok"})
        assert served.inference.requests == []


# --------------------------------------------------------------------------- privacy


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_nothing_of_a_request_reaches_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    with house(tmp_path / "run", answer=failing(ValueError(SECRET), after=(SECRET,))) as served:
        served.post(CHAT, asking(stream=stream))
        served.post(CHAT, b'{"model": "' + SECRET.encode())
        served.post(f"/v1/{SECRET.replace(' ', '%20')}", b"")
        served.ask("GET", f"/v1/models/{SECRET.replace(' ', '%20')}")
    assert "ValueError at serving.py" in caplog.text
    assert "diary" not in caplog.text


def test_a_broken_request_line_is_refused_without_its_text_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with house(tmp_path / "run") as served, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SOON_SECONDS)
        client.connect(str(served.api_path))
        client.sendall(b"GET / HTTP/1.1\r\nHo st: diary\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.0 400")
    assert "HTTP: " in caplog.text
    assert "diary" not in caplog.text


# --------------------------------------------------------------------------- our own client


def test_our_client_streams_and_leaving_it_stops_the_generation(tmp_path: Path) -> None:
    talker = Talker()
    with house(tmp_path / "run", answer=talker) as served:
        pieces = served.model.chat([{"role": "user", "content": "?"}], "base", max_tokens=9)
        assert next(iter(pieces)) == "and "
        assert served.inference.requests[0].sampling.max_tokens == 9
        pieces.close()
        assert talker.stopped.wait(SOON_SECONDS)


def test_our_client_completes_and_lists(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=saying("the ", "hive")) as served, served.model as model:
        assert list(model.complete("I opened ", "base", temperature=0)) == ["the ", "hive"]
        assert [entry.id for entry in model.models()] == ["base", "personal"]
        assert json.loads(served.post(CHAT, asking()).body)["model"] == PINNED


@pytest.mark.parametrize(
    "error",
    [
        UnknownModel(),
        PromptTooLong.counted(prompt_tokens=9, context_tokens=8),
        QueueFull(retry_after=2),
        EngineUnavailable(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("after", [(), ("They ",)], ids=["at once", "in mid-stream"])
def test_our_client_raises_what_the_service_raised(
    tmp_path: Path, error: RequestError, after: tuple[str, ...]
) -> None:
    with (
        house(tmp_path / "run", answer=failing(error, after=after)) as served,
        pytest.raises(type(error)) as caught,
    ):
        list(served.model.chat([{"role": "user", "content": "?"}]))
    assert caught.value.message == error.message
