"""The real openai client asks the real engine over the real socket."""

from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.pipeline.living import Nightloom, at_rest, cpu_seconds, until
from tests.pipeline.story import Story

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How was the spring?"}]
PROMPT = "He went down to the river, and"
LONG_TOKENS = 300  # the base goes on for longer than that


@pytest.mark.parametrize("model", ["personal", "base"])
def test_an_answer_is_the_same_whole_and_in_pieces(story: Story, model: str) -> None:
    with story.place.client() as client:
        whole = client.chat.completions.create(
            model=model, messages=QUESTION, max_tokens=24, temperature=0.0
        )
        chunks = list(
            client.chat.completions.create(
                model=model,
                messages=QUESTION,
                max_tokens=24,
                temperature=0.0,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    text = whole.choices[0].message.content
    assert text
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage == whole.usage
    assert whole.usage is not None
    assert 0 < whole.usage.completion_tokens <= 24
    expected = "base" if model == "base" else f"personal@{story.entry['adapter']}"
    assert {whole.model, *(chunk.model for chunk in chunks)} == {expected}


def test_the_adapter_changes_what_is_said(story: Story) -> None:
    with story.place.client() as client:
        said = {
            model: [
                client.completions.create(
                    model=model, prompt=prompt, max_tokens=24, temperature=0.0
                ).choices[0].text
                for prompt in ("Bosun sat on the", "The bees were", "At noon I wrote down that")
            ]
            for model in ("personal", "base")
        }  # fmt: skip
    assert said["personal"] != said["base"]


def test_a_seed_gives_the_same_answer_again(story: Story) -> None:
    said = {story.place.ask("Tell me.", temperature=1.0, seed=7, max_tokens=16) for _ in range(2)}
    assert len(said) == 1


def test_several_choices_are_what_their_seeds_give_alone(story: Story) -> None:
    drawn: dict[str, Any] = {"model": "personal", "messages": QUESTION, "max_tokens": 8}
    drawn |= {"temperature": 1.5, "top_p": 1.0, "logprobs": True, "top_logprobs": 3}
    with story.place.client() as client:
        together = client.chat.completions.create(**drawn, n=2, seed=40)
        alone = [client.chat.completions.create(**drawn, seed=40 + n) for n in range(2)]
        streamed = {0: "", 1: ""}
        for chunk in client.chat.completions.create(**drawn, n=2, seed=40, stream=True):
            for choice in chunk.choices:
                streamed[choice.index] += choice.delta.content or ""
    texts = [choice.message.content or "" for choice in together.choices]
    assert texts == [answer.choices[0].message.content for answer in alone]
    assert texts == list(streamed.values())
    assert len(set(texts)) > 1
    assert together.usage is not None
    assert together.usage.completion_tokens == sum(
        answer.usage.completion_tokens for answer in alone if answer.usage
    )
    for choice, text in zip(together.choices, texts, strict=True):
        assert choice.logprobs is not None
        chances = choice.logprobs.content or []
        assert b"".join(bytes(one.bytes or ()) for one in chances).decode(errors="replace") == text
        for one in chances:
            assert len(one.top_logprobs) == 3
            assert one.logprob <= one.top_logprobs[0].logprob + 1e-6


def test_cuts_and_penalties_reach_the_model(story: Story) -> None:
    with story.place.client() as client:

        def said(**fields: Any) -> str:
            answer = client.completions.create(
                model="base", prompt=PROMPT, max_tokens=16, seed=3, extra_body=fields
            )
            return answer.choices[0].text

        greedy = said(temperature=0)
        assert said(temperature=2, top_k=1) == said(temperature=2, min_p=1) == greedy
        assert said(temperature=2) != greedy
        for penalty in ({"repetition_penalty": 1.8}, {"presence_penalty": 2}):
            assert said(temperature=0, **penalty) != greedy
        end = greedy[9:12]  # somewhere within a token, or across some
        assert said(temperature=0, stop=end) == greedy[: greedy.index(end)]


def test_the_command_chats_too(story: Story) -> None:
    result = story.place.run("chat", "-m", "How was the spring?", "--model", "base")
    assert result.exit_code == 0
    assert result.stdout.strip()


def test_an_unknown_model_is_404(story: Story) -> None:
    with story.place.client() as client, pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="personal@0123456789ab", messages=QUESTION)
    assert caught.value.code == "model_not_found"


def test_a_prompt_longer_than_the_context_is_400_with_both_lengths(story: Story) -> None:
    with story.place.client() as client, pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="personal", prompt="The bees came back. " * 2000)
    assert caught.value.code == "context_length_exceeded"
    assert "1024" in caught.value.message
    assert "bees" not in caught.value.message
    assert story.place.ask("Still there?", "base")


def test_malformed_json_is_400_with_an_error_object(story: Story) -> None:
    transport = httpx2.HTTPTransport(uds=str(story.place.home.api_socket))
    with httpx2.Client(transport=transport, base_url="http://nightloom") as http:
        answer = http.post("/v1/chat/completions", content=b'{"model": "base", "messages": [')
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_a_client_that_hangs_up_stops_the_generation(story: Story) -> None:
    place = story.place
    whole = spent_on(place, hang_up=False)
    assert spent_on(place, hang_up=True) < whole / 2
    assert place.ask("And now?", "base")


def spent_on(place: Nightloom, *, hang_up: bool) -> float:
    """Processor seconds that the engine spends on a long answer, from its beginning to rest."""
    place.ask("Ready?", "base", max_tokens=1)
    engine = place.engine_pid()
    assert engine is not None
    until(at_rest(engine))
    before = cpu_seconds(engine)
    with place.client() as client:
        stream = client.completions.create(
            model="base", prompt=PROMPT, max_tokens=LONG_TOKENS, temperature=0.0, stream=True
        )
        reasons = []
        for chunk in stream:
            reasons.append(chunk.choices[0].finish_reason)
            if hang_up:
                break
        stream.close()
    assert reasons[-1] == (None if hang_up else "length")
    until(at_rest(engine))
    return cpu_seconds(engine) - before
