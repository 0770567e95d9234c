"""OpenAI's JSON to what the model is asked. Pure: no HTTP, no clock.

Unknown fields are tolerated, as OpenAI does. A known field of a wrong type or out of range is a
`BadRequest` that names it and never repeats what it held; so is one without which the answer
would not be what was asked for, such as `tools`, where its neutral value is harmless.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ipc.inference import ChatMessage, GenerationRequest, Sampling
from ipc.json_fields import Json, flag, integer, number, well_formed, wrong

Role = Literal["system", "user", "assistant"]

# `developer` is what OpenAI calls the system's role since 2025.
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
TOOL_ROLES = ("tool", "function")
STOP_LIMIT = 4  # OpenAI's
CHOICES_LIMIT = 8
PROMPTS_LIMIT = 16
LIKELIEST_LIMIT = 20  # OpenAI's for chats; for completions it allows 5
SEED_BITS = 63
# Formats whose promise nothing here keeps.
PLAIN_FORMATS = (None, "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerForm:
    """How the client wants its answer."""

    stream: bool = False
    include_usage: bool = False  # a last chunk with the counts; only of a stream
    chances: bool = False  # logprobs beside the text
    echo: bool = False  # the prompt before its completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One body, read: several prompts are several requests, else there is one.

    All have the same number of choices; those of the first prompt come first.
    """

    requests: tuple[GenerationRequest, ...]
    form: AnswerForm

    @property
    def choices(self) -> int:
        """Of all prompts."""
        return sum(request.choices for request in self.requests)


def chat_asked(body: Json, *, train_allowed: bool = True, client: str = "") -> Asked:
    """Raises BadRequest."""
    refuse_tools(body)
    refuse_formats(body)
    drawn = sampling(
        body,
        max_tokens_fields=("max_completion_tokens", "max_tokens"),
        logprobs=chat_logprobs(body),
    )
    request = GenerationRequest(
        model=model_name(body),
        messages=messages(body),
        sampling=drawn,
        choices=choices(body),
        client=client,
        train_allowed=train_allowed,
    )
    return Asked(requests=(request,), form=answer_form(body, chances=drawn.logprobs is not None))


def completion_asked(body: Json, *, train_allowed: bool = True, client: str = "") -> Asked:
    """Raises BadRequest."""
    if body.get("suffix") not in (None, ""):
        raise wrong("suffix", "is not read: the model writes on at the end and nowhere else")
    refuse_formats(body)
    many = choices(body)
    if integer(body, "best_of", low=1, high=CHOICES_LIMIT, otherwise=many) != many:
        raise wrong("best_of", "must be what `n` is; answers are not ranked here")
    drawn = sampling(
        body,
        max_tokens_fields=("max_tokens",),
        logprobs=integer(body, "logprobs", low=0, high=LIKELIEST_LIMIT),
    )
    form = answer_form(body, chances=drawn.logprobs is not None)
    form = dataclasses.replace(form, echo=flag(body, "echo", "echo"))
    if form.echo and form.chances:
        raise wrong("echo", "cannot go with `logprobs`: those of a prompt are not computed")
    given = prompts(body)
    if len(given) * many > PROMPTS_LIMIT:
        raise wrong("prompt", f"and `n` ask for more than {PROMPTS_LIMIT} answers at once")
    asked = GenerationRequest(
        model=model_name(body),
        prompt=given[0],
        sampling=drawn,
        choices=many,
        client=client,
        train_allowed=train_allowed,
    )
    requests = tuple(dataclasses.replace(asked, prompt=prompt) for prompt in given)
    return Asked(requests=requests, form=form)


def answer_form(body: Json, *, chances: bool = False) -> AnswerForm:
    """Raises BadRequest."""
    options = body.get("stream_options")
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise wrong("stream_options", "must be an object")
    return AnswerForm(
        stream=flag(body, "stream", "stream"),
        include_usage=flag(options, "include_usage", "stream_options.include_usage"),
        chances=chances,
    )


def model_name(body: Json) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise wrong("model", "must be the name of a model: `personal` or `base`")
    return well_formed(model, "model")


# --------------------------------------------------------------------------- text


def messages(body: Json) -> tuple[ChatMessage, ...]:
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise wrong("messages", "must be a list of at least one message")
    return tuple(message(entry, f"messages[{index}]") for index, entry in enumerate(given))


def message(entry: Any, where: str) -> ChatMessage:
    """A `name` is not read: no template of our bases has a place for it."""
    if not isinstance(entry, dict):
        raise wrong(where, "must be an object with `role` and `content`")
    role = entry.get("role")
    if role in TOOL_ROLES:
        raise wrong(f"{where}.role", "is a tool's; this model calls no tools and reads no answers")
    if not isinstance(role, str) or role not in ROLES:
        raise wrong(f"{where}.role", "must be `system`, `user` or `assistant`")
    for calls in ("tool_calls", "function_call"):
        if entry.get(calls):
            raise wrong(f"{where}.{calls}", "is not read: this model calls no tools")
    text = entry.get("content")
    if text is None and role == "assistant":  # OpenAI's own answers may come back like that
        text = ""
    return ChatMessage(role=ROLES[role], content=content(text, f"{where}.content"))


def content(given: Any, where: str) -> str:
    """A string, or text parts, which are joined."""
    if isinstance(given, str):
        return well_formed(given, where)
    if not isinstance(given, list):
        raise wrong(where, "must be a string or a list of text parts")
    texts: list[str] = []
    for index, part in enumerate(given):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise wrong(f"{where}[{index}]", "must be a part of type `text`; nothing else is read")
        text = part.get("text")
        if not isinstance(text, str):
            raise wrong(f"{where}[{index}].text", "must be a string")
        texts.append(well_formed(text, f"{where}[{index}].text"))
    return "".join(texts)


def prompts(body: Json) -> tuple[str, ...]:
    given = body.get("prompt")
    listed = given if isinstance(given, list) else [given]
    if any(isinstance(one, int | list) for one in listed):
        raise wrong("prompt", "must be text; token numbers are not read")
    texts = [one for one in listed if isinstance(one, str)]
    if not texts or len(texts) < len(listed):
        raise wrong("prompt", "must be a string or a list of strings")
    if len(texts) > PROMPTS_LIMIT:
        raise wrong("prompt", f"must be at most {PROMPTS_LIMIT} strings")
    return tuple(well_formed(one, "prompt") for one in texts)


# --------------------------------------------------------------------------- numbers


def sampling(
    body: Json, *, max_tokens_fields: tuple[str, ...], logprobs: int | None = None
) -> Sampling:
    plain = Sampling()
    temperature = number(body, "temperature", low=0.0, high=2.0, otherwise=plain.temperature)
    top_p = number(body, "top_p", low=0.0, high=1.0, otherwise=plain.top_p)
    if top_p == 0.0:  # only the likeliest token is left: greedy by another name
        temperature, top_p = 0.0, 1.0
    top_k = integer(body, "top_k", low=-1, otherwise=0)  # 0 and -1: all, as other servers have it
    lengths = [integer(body, name, low=1) for name in max_tokens_fields]
    return Sampling(
        max_tokens=next((length for length in lengths if length is not None), None),
        temperature=temperature,
        top_p=top_p,
        top_k=top_k if top_k is not None and top_k > 0 else None,
        min_p=number(body, "min_p", low=0.0, high=1.0, otherwise=plain.min_p),
        repetition_penalty=number(
            body, "repetition_penalty", low=0.01, high=10.0, otherwise=plain.repetition_penalty
        ),
        presence_penalty=number(
            body, "presence_penalty", low=-2.0, high=2.0, otherwise=plain.presence_penalty
        ),
        frequency_penalty=number(
            body, "frequency_penalty", low=-2.0, high=2.0, otherwise=plain.frequency_penalty
        ),
        seed=integer(body, "seed", low=-(2**SEED_BITS), high=2**SEED_BITS - 1),
        stop=stop(body),
        logprobs=logprobs,
    )


def choices(body: Json) -> int:
    return integer(body, "n", low=1, high=CHOICES_LIMIT, otherwise=1) or 1


def chat_logprobs(body: Json) -> int | None:
    """How many likeliest tokens a chat wants to see beside each one; None for no logprobs."""
    wanted = flag(body, "logprobs", "logprobs")
    most = integer(body, "top_logprobs", low=0, high=LIKELIEST_LIMIT)
    if most and not wanted:
        raise wrong("top_logprobs", "needs `logprobs` to be true")
    return (most or 0) if wanted else None


def stop(body: Json) -> tuple[str, ...]:
    given = body.get("stop")
    if given is None:
        return ()
    strings = [given] if isinstance(given, str) else given
    if not isinstance(strings, list) or len(strings) > STOP_LIMIT:
        raise wrong("stop", f"must be a string or a list of at most {STOP_LIMIT} strings")
    if not all(isinstance(string, str) and string for string in strings):
        raise wrong("stop", "must hold strings that are not empty")
    return tuple(well_formed(string, "stop") for string in strings)


# --------------------------------------------------------------------------- refused


def refuse_tools(body: Json) -> None:
    """A client that offers tools counts on calls, and would get prose."""
    for offered, chosen in (("tools", "tool_choice"), ("functions", "function_call")):
        choice = body.get(chosen)
        if body.get(offered) and choice != "none":
            raise wrong(offered, "cannot be offered: this model calls no tools")
        if choice not in (None, "none", "auto"):
            raise wrong(chosen, "cannot be demanded: this model calls no tools")


def refuse_formats(body: Json) -> None:
    """What would be ignored in silence, and is meant to change the answer."""
    form = body.get("response_format")
    if form is not None and not (isinstance(form, dict) and form.get("type") in PLAIN_FORMATS):
        raise wrong("response_format", "must be of type `text`; no other form is enforced here")
    if body.get("logit_bias"):
        raise wrong("logit_bias", "must be empty; token numbers are not read")
