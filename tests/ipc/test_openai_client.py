"""The real `openai` client over the real socket: what a user's program sees."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from ipc.errors import EngineUnavailable, PromptTooLong, QueueFull, UnknownModel, VaultLocked
from ipc.inference import (
    ChatMessage,
    Finished,
    GenerationRequest,
    Loading,
    Started,
    TextPiece,
    TokenChance,
)
from ipc.server import Limits
from tests.ipc.serving import PINNED, SOON_SECONDS, Events, House, Talker, failing, house, saying

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How are the bees?"}]


SAID = "🐝蜂e\u0301"


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


async def letters(request: GenerationRequest) -> Events:
    """As many choices as were asked for, said letter by letter and by turns."""
    yield Loading(share=0.4)
    yield Started(model=PINNED, prompt_tokens=5)
    for place, letter in enumerate(SAID):
        for choice in range(request.choices):
            raw = letter.encode()
            other = TokenChance(token="?", bytes=(63,), logprob=-9.0)
            chance = TokenChance(
                token=letter, bytes=tuple(raw), logprob=-float(place), likeliest=(other,)
            )
            told = (chance,) if request.sampling.logprobs is not None else ()
            yield TextPiece(text=letter, choice=choice, chances=told)
    for choice in reversed(range(request.choices)):
        yield Finished(reason="length", completion_tokens=4, choice=choice)


def test_several_choices_come_whole_and_their_tokens_are_counted_together(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=letters) as served, openai_client(served) as client:
        answer = client.chat.completions.create(
            model="personal", messages=QUESTION, n=3, logprobs=True, top_logprobs=1
        )
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        for choice in answer.choices:
            assert choice.message.content == SAID
            assert choice.finish_reason == "length"
            assert choice.logprobs is not None
            assert choice.logprobs.content is not None
            chances = choice.logprobs.content
            assert b"".join(bytes(one.bytes or ()) for one in chances).decode() == SAID
            assert [one.logprob for one in chances] == [0.0, -1.0, -2.0, -3.0]
            assert {one.top_logprobs[0].token for one in chances} == {"?"}
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 12)


def test_choices_that_stream_by_turns_are_told_apart(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=letters) as served, openai_client(served) as client:
        chunks = list(
            client.chat.completions.create(
                model="personal",
                messages=QUESTION,
                n=2,
                logprobs=True,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    said, spelled, ends = {0: "", 1: ""}, {0: b"", 1: b""}, []
    for chunk in chunks:
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            for one in (choice.logprobs and choice.logprobs.content) or ():
                spelled[choice.index] += bytes(one.bytes or ())
            if choice.finish_reason:
                ends.append((choice.index, choice.finish_reason))
    assert said == {0: SAID, 1: SAID}
    assert spelled == {0: SAID.encode(), 1: SAID.encode()}
    assert ends == [(1, "length"), (0, "length")]
    assert [c.choices[0].index for c in chunks if c.choices and c.choices[0].delta.role] == [0, 1]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_several_prompts_are_completed_by_the_version_that_began(
    tmp_path: Path, stream: bool
) -> None:
    texts = dict.fromkeys(range(4), "")
    with house(tmp_path / "run", answer=letters) as served, openai_client(served) as client:
        asked = {"model": "personal", "prompt": ["a", "b"], "n": 2, "echo": True}
        if stream:
            for chunk in client.completions.create(**asked, stream=True):  # type: ignore[call-overload]
                texts[chunk.choices[0].index] += chunk.choices[0].text
        else:
            answer = client.completions.create(**asked)  # type: ignore[call-overload]
            texts = {choice.index: choice.text for choice in answer.choices}
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 16)
        requests = served.inference.requests
    assert texts == {0: "a" + SAID, 1: "a" + SAID, 2: "b" + SAID, 3: "b" + SAID}
    assert [(one.model, one.prompt) for one in requests] == [("personal", "a"), (PINNED, "b")]


def test_a_completion_says_where_its_tokens_begin(tmp_path: Path) -> None:
    with house(tmp_path / "run", answer=letters) as served, openai_client(served) as client:
        answer = client.completions.create(model="base", prompt="a", logprobs=1)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens == list(SAID)
    assert logprobs.text_offset == [0, 1, 2, 3]
    assert logprobs.top_logprobs is not None
    assert logprobs.top_logprobs[0] == {"?": -9.0, "🐝": 0.0}


def test_one_choice_that_fails_ends_them_all(tmp_path: Path) -> None:
    talker = Talker()

    def answer(request: GenerationRequest) -> Events:
        return talker(request) if request.prompt == "a" else failing(EngineUnavailable())(request)

    with (
        house(tmp_path / "run", answer=answer) as served,
        openai_client(served) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.completions.create(model="base", prompt=["a", "b"])
    assert talker.stopped.is_set()


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


def test_what_is_not_served_and_what_is_too_large_has_its_status(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run", limits=Limits(body_bytes=1000)) as served,
        openai_client(served) as client,
    ):
        with pytest.raises(openai.NotFoundError) as unknown:
            client.embeddings.create(model="base", input="bees")
        assert unknown.value.code == "unknown_route"
        with pytest.raises(openai.APIStatusError) as large:
            client.completions.create(model="base", prompt="bees" * 300)
        assert (large.value.status_code, large.value.code) == (413, "body_too_large")
        assert client.completions.create(model="base", prompt="bees").choices


def test_tools_are_refused_and_not_ignored(tmp_path: Path) -> None:
    tool: Any = {"type": "function", "function": {"name": "count_bees", "parameters": {}}}
    with house(tmp_path / "run") as served, openai_client(served) as client:
        create = client.chat.completions.create
        with pytest.raises(openai.BadRequestError, match="calls no tools") as caught:
            create(model="base", messages=QUESTION, tools=[tool])
        assert caught.value.param == "tools"
        assert create(model="base", messages=QUESTION, tools=[tool], tool_choice="none").choices


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
