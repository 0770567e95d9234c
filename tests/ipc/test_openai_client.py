"""The real `openai` client over the real socket: what a user's program sees."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from ipc.errors import EngineUnavailable, PromptTooLong, QueueFull, UnknownModel, VaultLocked
from ipc.inference import ChatMessage
from tests.ipc.serving import PINNED, SOON_SECONDS, House, Talker, failing, house, saying

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How are the bees?"}]


@contextmanager
def openai_client(served: House) -> Generator[openai.OpenAI, None, None]:
    transport = httpx2.HTTPTransport(uds=str(served.api_path))
    with (
        httpx2.Client(transport=transport) as http_client,
        openai.OpenAI(
            http_client=http_client,
            base_url="http://nightloom/v1",
            api_key="-",
            max_retries=0,
            timeout=SOON_SECONDS,
        ) as client,
    ):
        yield client


def test_a_chat_is_answered_with_the_pinned_version_and_the_counts(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=saying("They ", "sleep.")) as served:
        with openai_client(served) as client:
            answer = client.chat.completions.create(model="personal", messages=QUESTION)
        assert answer.choices[0].message.content == "They sleep."
        assert answer.choices[0].finish_reason == "stop"
        assert answer.model == PINNED
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 2)
        assert served.inference.requests[0].messages == (
            ChatMessage(role="user", content="How are the bees?"),
        )


def test_a_chat_streams_its_pieces_and_its_counts_last(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run", answer=saying("They ", "sleep — ", "zz💤")) as served,
        openai_client(served) as client,
    ):
        stream = client.chat.completions.create(
            model="personal",
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert texts == ["", "They ", "sleep — ", "zz💤", None]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 8
    assert {chunk.model for chunk in chunks} == {PINNED}
    assert len({chunk.id for chunk in chunks}) == 1


def test_counts_are_not_streamed_unasked(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served, openai_client(served) as client:
        chunks = list(client.chat.completions.create(model="base", messages=QUESTION, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_a_prompt_is_completed_whole_and_in_pieces(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run", answer=saying("the ", "hive")) as served,
        openai_client(served) as client,
    ):
        whole = client.completions.create(model="base", prompt="I opened ")
        assert whole.choices[0].text == "the hive"
        pieces = client.completions.create(model="base", prompt="I opened ", stream=True)
        assert "".join(chunk.choices[0].text for chunk in pieces) == "the hive"
        assert [request.prompt for request in served.inference.requests] == ["I opened "] * 2


def test_models_say_where_they_come_from(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served, openai_client(served) as client:
        models = {model.id: model for model in client.models.list()}
        assert models.keys() == {"base", "personal"}
        personal = client.models.retrieve("personal")
        assert personal == models["personal"]
        assert personal.model_dump()["parent"] == "cd" * 32
        with pytest.raises(openai.NotFoundError, match="no model of that name"):
            client.models.retrieve("impersonal")


@pytest.mark.parametrize(
    ("error", "raised", "code"),
    [
        (UnknownModel(), openai.NotFoundError, "model_not_found"),
        (
            PromptTooLong.counted(prompt_tokens=900, context_tokens=512),
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        (QueueFull(retry_after=3), openai.RateLimitError, "queue_full"),
        (EngineUnavailable(), openai.InternalServerError, "engine_unavailable"),
        (VaultLocked(), openai.InternalServerError, "vault_locked"),
        (RuntimeError("How are the bees?"), openai.InternalServerError, "internal_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_refusal_becomes_the_clients_own_exception(
    tmp_path: Path, error: Exception, raised: type[openai.APIStatusError], code: str, stream: bool
) -> None:
    with (
        house(tmp_path / "run", answer=failing(error)) as served,
        openai_client(served) as client,
        pytest.raises(raised) as caught,
    ):
        client.chat.completions.create(model="personal", messages=QUESTION, stream=stream)
    assert caught.value.code == code
    assert "bees" not in str(caught.value)
    if code == "queue_full":
        assert caught.value.response.headers["Retry-After"] == "3"


def test_an_engine_that_dies_in_mid_stream_ends_it_with_an_error(tmp_path: Path) -> None:
    heard: list[str] = []
    with (
        house(tmp_path / "run", answer=failing(EngineUnavailable(), after=("They ",))) as served,
        openai_client(served) as client,
    ):
        stream = client.chat.completions.create(model="base", messages=QUESTION, stream=True)
        with pytest.raises(openai.APIError, match="engine stopped") as caught:
            heard.extend(chunk.choices[0].delta.content or "" for chunk in stream)
        assert caught.value.code == "engine_unavailable"

        served.inference.answer = saying("Back again")
        again = client.chat.completions.create(model="base", messages=QUESTION)
        assert again.choices[0].message.content == "Back again"


def test_a_wrong_type_is_named(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run") as served,
        openai_client(served) as client,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        client.chat.completions.create(
            model="personal",
            messages=QUESTION,
            temperature="warm",  # type: ignore[call-overload]
        )
    assert caught.value.param == "temperature"


def test_closing_the_stream_stops_the_generation(tmp_path: Path) -> None:
    talker = Talker()
    with house(tmp_path / "run", answer=talker) as served, openai_client(served) as client:
        stream = client.chat.completions.create(model="base", messages=QUESTION, stream=True)
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        assert not talker.stopped.is_set()
        stream.close()
        assert talker.stopped.wait(SOON_SECONDS)


def test_a_client_that_gives_up_waiting_stops_the_generation(tmp_path: Path) -> None:
    talker = Talker()
    with house(tmp_path / "run", answer=talker) as served, openai_client(served) as client:
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="base", messages=QUESTION, timeout=0.3)
        assert talker.begun.is_set()
        assert talker.stopped.wait(SOON_SECONDS)
