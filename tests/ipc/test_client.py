"""Our own clients: a method for every route, events as values, and hanging up from any thread."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ipc.admin_api import admin_app
from ipc.answer_events import Begun, Ended, Text, Usage, answer_events, loading_share
from ipc.asking import Asked
from ipc.client import AdminClient, InferenceClient, chat_fields, completion_fields
from ipc.errors import AnswerCutShort, NotRunning, QueueFull, UnknownModel
from ipc.inference import Loading, Sampling
from ipc.inference_api import inference_app
from ipc.server import Limits
from tests.ipc.serving import (
    PINNED,
    SOON_SECONDS,
    Administration,
    Inference,
    Silent,
    Talker,
    failing,
    house,
    saying,
)

QUESTION = [{"role": "user", "content": "How are the bees?"}]
SECRET = {"passphrase": "nine brown teapots"}
DIGEST = "0123456789ab"
# what is given to each method of the administration's client; those that are not here take nothing
GIVEN: dict[str, Callable[[Any], Any]] = {
    "add_source": lambda call: call("/notes"),
    "remove_source": lambda call: call("no/tes"),
    "use_adapter": lambda call: call(DIGEST),
    "add_slot": lambda call: call("recovery", SECRET),
    "remove_slot": lambda call: call("recovery"),
    "forgetting_cost": lambda call: call({"answers": ["chatcmpl-1"]}),
    "forget": lambda call: call({"source": "notes"}),
    "remember": lambda call: call("/notes/a.txt"),
    "forgotten": lambda call: call(source="notes", path="a.txt", text="words"),
    "export": lambda call: call(SECRET),
    "exclude": lambda call: call("*.tmp"),
    "include_again": lambda call: call("*.tmp"),
    "count_older": lambda call: call(30),
    "set_retention": lambda call: call(30),
    "pause_source": lambda call: call("notes"),
    "resume_source": lambda call: call("notes"),
    "scan": lambda call: call("notes"),
    "speakers": lambda call: call("/chats"),
    "adapter": lambda call: call(DIGEST),
    "delete_adapter": lambda call: call(DIGEST),
    "export_adapter": lambda call: call(DIGEST, SECRET, "/elsewhere"),
}


def methods(client: type) -> set[str]:
    return {name for name in dir(client) if not name.startswith("_")}


def routes(app: Any) -> set[str]:
    """As the account has them: `GET /status`."""
    return {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }


def test_there_is_a_method_for_every_route_of_the_administration(tmp_path: Path) -> None:
    asked: list[Asked] = []
    with house(tmp_path / "run", account=asked.append) as served:
        for name in methods(AdminClient):
            answer = GIVEN.get(name, lambda call: call())(getattr(served.admin, name))
            if isinstance(answer, Iterator):
                for _ in answer:
                    pass

    assert set(GIVEN) <= methods(AdminClient)
    assert {one.what for one in asked} == routes(admin_app(Administration()))


def test_there_is_a_method_for_every_route_of_the_model(tmp_path: Path) -> None:
    assert routes(inference_app(Inference())) == {
        "GET /health",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "POST /v1/chat/completions",
        "POST /v1/completions",
        "POST /v1/feedback",
    }
    with house(tmp_path / "run", answer=saying("the ", "hive")) as served:
        client = served.model
        assert client.health() == {"status": "ok"}
        assert [model.id for model in client.models()] == ["base", "personal"]
        assert client.model("personal").sha256 == "ab" * 32
        with pytest.raises(UnknownModel):
            client.model("a/b")
        chat, completion = client.chat_events(QUESTION), client.completion_events("So", "base")
        first, *rest = chat
        assert isinstance(first, Begun)
        assert (first.id.partition("-")[0], first.model) == ("chatcmpl", PINNED)
        assert rest == [
            Text(text="the "),
            Text(text="hive"),
            Ended(reason="stop"),
            Usage(prompt_tokens=5, completion_tokens=2),
        ]
        assert list(completion)[1:] == rest
        assert served.inference.requests[-1].prompt == "So"
        with pytest.raises(Exception, match="is remembered"):
            client.feedback(first.id, good=True)


def test_every_field_of_sampling_reaches_the_model(tmp_path: Path) -> None:
    asked = Sampling(
        max_tokens=9,
        temperature=0.3,
        top_p=0.5,
        top_k=7,
        min_p=0.1,
        repetition_penalty=1.2,
        presence_penalty=0.2,
        frequency_penalty=0.4,
        seed=3,
        stop=("end",),
        logprobs=2,
    )
    assert [one.name for one in fields(Sampling) if getattr(asked, one.name) == one.default] == []
    with house(tmp_path / "run") as served:
        list(served.model.chat_events(QUESTION, "base", asked, train=False))
        list(served.model.completion_events("So", "base", asked))

    first, second = served.inference.requests
    assert (first.sampling, first.train_allowed) == (asked, False)
    assert (second.sampling, second.train_allowed) == (asked, True)
    assert chat_fields(None) == completion_fields(Sampling()) == {}
    assert chat_fields(None, 3) == {"n": 3}


def test_another_thread_hangs_up_and_whoever_waits_finds_the_end(tmp_path: Path) -> None:
    silent, talker = Silent(), Talker()
    with house(tmp_path / "run", answer=silent) as served:
        stream = served.model.chat_events(QUESTION)
        found: list[Any] = []
        waiting = threading.Thread(target=lambda: found.extend(stream))
        waiting.start()
        assert silent.begun.wait(SOON_SECONDS)
        stream.close()
        waiting.join(SOON_SECONDS)
        assert not waiting.is_alive()
        assert silent.stopped.wait(SOON_SECONDS)
        assert found == []
    with house(tmp_path / "again", answer=talker) as served:
        with served.model.chat_events(QUESTION) as stream:
            assert next(stream)
        assert list(stream) == []
        assert talker.stopped.wait(SOON_SECONDS)
        unread = served.model.chat_events(QUESTION)
        unread.close()
        assert list(unread) == []
    with pytest.raises(NotRunning):
        next(InferenceClient(tmp_path / "nobody.sock").chat_events(QUESTION))


def test_an_answer_of_a_service_that_goes_away_is_cut_short(tmp_path: Path) -> None:
    limits = Limits(stop_seconds=0.05)
    with house(tmp_path / "run", answer=Talker(), limits=limits) as served:
        stream = served.model.chat_events(QUESTION)
        assert next(stream)
    with pytest.raises(AnswerCutShort, match="went away"):
        list(stream)
    with pytest.raises(NotRunning):
        next(served.model.chat_events(QUESTION))


def test_how_long_to_wait_is_told(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run", answer=failing(QueueFull(retry_after=7))) as served,
        pytest.raises(QueueFull) as refused,
    ):
        next(served.model.chat_events(QUESTION))
    assert refused.value.retry_after == 7


def test_comments_are_how_far_loading_is_or_nothing() -> None:
    for line, share in {
        b": loading 0.4": 0.4,
        b": loading 40 %": 0.4,
        b":loading 1": 1.0,
        b": loading 250%": 1.0,
        b": loading 1.2.3": None,
        b": ping": None,
        b"data: loading 0.4": None,
    }.items():
        assert loading_share(line) == share
    lines = [b": loading 0.5", b"", b": ping", b"data: [DONE]"]
    assert list(answer_events(iter(lines))) == [Loading(share=0.5)]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"data: {"],
        [b"data: 7", b"data: [DONE]"],
        [b'data: {"choices": [7]}', b"data: [DONE]"],
        [b'data: {"choices": [{"index": "x"}]}', b"data: [DONE]"],
        [b'data: {"usage": {"prompt_tokens": 7}}', b"data: [DONE]"],
        [b'data: {"error": 7}', b"data: [DONE]"],
    ],
)
def test_what_is_no_answer_is_cut_short(lines: list[bytes]) -> None:
    with pytest.raises(AnswerCutShort):
        list(answer_events(iter(lines)))


def test_no_text_shows_in_what_is_printed_of_an_event() -> None:
    assert "bees" not in repr(Text(text="The bees"))
