"""What the demo asks the base and the adapter, and how: the same words, seed and temperature.

Continuations show the writer's hand best; a base this small has little to say in a conversation.
Knows nothing of how answers are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

TEMPERATURE = 0.7
SEED = 1986  # the year the keeper took the post
ANSWER_TOKENS = 60
MODELS = ("base", "personal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A beginning to go on with, or something to ask."""

    words: str
    is_beginning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What both models made of one question."""

    question: Question
    by_model: dict[str, str]


QUESTIONS = (
    Question(words="# First frost\n\nWeather:", is_beginning=True),
    Question(words="Stings: none. So much for", is_beginning=True),
    Question(words="Harkness came to the wall &", is_beginning=True),
    Question(words="My dear Zoë,", is_beginning=True),
    Question(words="How are the bees?", is_beginning=False),
)


class Model(Protocol):
    """The part of `InferenceClient` that is needed here."""

    def chat(
        self, messages: list[dict[str, str]], model: str, **sampling: Any
    ) -> Iterator[str]: ...

    def complete(self, prompt: str, model: str, **sampling: Any) -> Iterator[str]: ...


def ask(client: Model, question: Question, model: str) -> str:
    """The whole answer of one model."""
    sampling = {"temperature": TEMPERATURE, "seed": SEED, "max_tokens": ANSWER_TOKENS}
    if question.is_beginning:
        pieces = client.complete(question.words, model, **sampling)
    else:
        messages = [{"role": "user", "content": question.words}]
        pieces = client.chat(messages, model, **sampling)
    return "".join(pieces).strip()
