"""The clients of both sockets, for the command line: blocking, and of the standard library only.

One connection per call, so that nothing is left open between them. Knows the routes, not what the
service does with them. Imports neither aiohttp nor asyncio: `nightloom status` has to be quick.
"""

import dataclasses
import http.client
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from ipc.answer_events import Begun, Text, request_error
from ipc.answer_stream import AnswerStream
from ipc.backup_client import BackupClient
from ipc.client_calls import QUICK_SECONDS, Client, Json, exchange, parsed
from ipc.collecting_client import CollectingClient
from ipc.errors import AnswerCutShort
from ipc.forgetting_client import ForgettingClient
from ipc.inference import ModelInfo, Sampling
from ipc.keys_client import KeysClient
from ipc.limits_client import LimitsClient
from ipc.seeing_client import SeeingClient
from ipc.shelf_client import ShelfClient

# --------------------------------------------------------------------------- admin.sock


class AdminClient(
    KeysClient,
    ForgettingClient,
    SeeingClient,
    LimitsClient,
    CollectingClient,
    BackupClient,
    ShelfClient,
):
    """One method per route. Each raises OperationError, NotRunning or AnswerCutShort."""

    def status(self) -> Json:
        return self._object("GET", "/status")

    def why(self) -> Json:
        return self._object("GET", "/why")

    def sources(self) -> list[Json]:
        return self._list("/sources")

    def add_source(
        self,
        path: str | None = None,
        *,
        name: str | None = None,
        kind: str = "folder",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        me: Sequence[str] = (),
        own: bool = True,
        keep_deleted: bool = True,
    ) -> Json:
        """`path` is absolute: the service has a working directory of its own. Kinds that lie at no
        place have none.

        `me` are the user's own addresses or names there, `own` whether it is mostly the user's own
        writing, `keep_deleted` whether text stays when its file goes. Returns when exports there
        were looked through for who speaks in them, however long that takes.
        """
        body = {
            "name": name,
            "kind": kind,
            "path": path,
            "include": list(include),
            "exclude": list(exclude),
            "me": list(me),
            "own": own,
            "keep_deleted": keep_deleted,
        }
        return self._object("POST", "/sources", body, timeout=None)

    def remove_source(self, name: str) -> Json:
        return self._object("DELETE", f"/sources/{quote(name, safe='')}")

    def rescan(self) -> Json:
        """Returns when all sources have been scanned and collected."""
        return self._object("POST", "/rescan", timeout=None)

    def preview(self) -> Json:
        return self._object("GET", "/preview", timeout=None)

    def run_night(self, *, on_battery: bool = False) -> Iterator[Json]:
        """Progress as it comes, last the night's log entry.

        Leaving the iterator leaves the night running.
        """
        return self._lines("POST", "/night", {"on_battery": on_battery})

    def stop_night(self) -> Json:
        return self._object("POST", "/night/stop")

    def pause_nights(self, seconds: float | None = None) -> Json:
        """Returns when the night that runs has saved its checkpoint."""
        return self._object("POST", "/night/pause", {"seconds": seconds}, timeout=None)

    def resume_nights(self) -> Json:
        return self._object("POST", "/night/resume")

    def nights(self, count: int | None = None) -> list[Json]:
        return self._list("/nights" if count is None else f"/nights?count={count}")

    def night_passages(self, night: int | None = None) -> Iterator[Json]:
        """As they come; the engine may have to start for them."""
        return self._lines("GET", "/night/passages" + ("" if night is None else f"?night={night}"))

    def adapters(self) -> list[Json]:
        return self._list("/adapters")

    def use_adapter(self, adapter: str) -> Json:
        return self._object("POST", "/adapters/use", {"adapter": adapter}, timeout=None)

    def rollback(self) -> Json:
        return self._object("POST", "/adapters/rollback", timeout=None)

    def bases(self) -> list[Json]:
        return self._list("/bases")

    def shut_down(self) -> Json:
        return self._object("POST", "/shutdown")


# --------------------------------------------------------------------------- api.sock


class InferenceClient(Client):
    """What programs on this machine may ask of the model: one method per route.

    Each raises RequestError, NotRunning or AnswerCutShort; streams do so at the first event or
    later.
    """

    def health(self) -> Json:
        """Whether somebody listens; wakes nothing."""
        return dict(self._call("GET", "/health"))

    def models(self) -> list[ModelInfo]:
        return [_model(entry) for entry in self._call("GET", "/v1/models")["data"]]

    def model(self, name: str) -> ModelInfo:
        """Raises UnknownModel."""
        return _model(self._call("GET", f"/v1/models/{quote(name, safe='')}"))

    def chat_events(
        self,
        messages: Sequence[Json],
        model: str = "personal",
        sampling: Sampling | None = None,
        *,
        choices: int = 1,
        train: bool = True,
    ) -> AnswerStream:
        """The answer as it comes to be; closing the stream stops the generation.

        Args:
            messages: dicts with `role` and `content`.
            choices: so many answers to the same.
            train: False keeps this exchange from being collected.
        """
        body = {"messages": list(messages), "model": model, **chat_fields(sampling, choices)}
        return self._stream(CHAT, body, train=train)

    def completion_events(
        self,
        prompt: str,
        model: str = "personal",
        sampling: Sampling | None = None,
        *,
        choices: int = 1,
    ) -> AnswerStream:
        """How the model goes on after `prompt`; otherwise as `chat_events`."""
        body = {"prompt": prompt, "model": model, **completion_fields(sampling, choices)}
        return self._stream(COMPLETIONS, body)

    def chat(
        self,
        messages: Sequence[Json],
        model: str = "personal",
        *,
        train: bool = True,
        begun: Callable[[str], None] | None = None,
        **sampling: Any,
    ) -> Generator[str, None, None]:
        """The text of `chat_events`, in pieces; leaving the iterator stops the generation.

        Args:
            begun: is told the answer's id, for `feedback`.
            sampling: fields of the request, as OpenAI names them; None is the default.
        """
        body = {"messages": list(messages), "model": model, **sampling}
        return _text(self._stream(CHAT, body, train=train), begun)

    def complete(
        self, prompt: str, model: str = "personal", **sampling: Any
    ) -> Generator[str, None, None]:
        """The text of `completion_events`; otherwise as `chat`."""
        return _text(self._stream(COMPLETIONS, {"prompt": prompt, "model": model, **sampling}))

    def feedback(self, id: str, *, good: bool) -> bool:
        """Say what an answer was worth; whether what was said with it is kept now."""
        body = {"id": id, "quality": "good" if good else "bad"}
        return bool(self._call("POST", "/v1/feedback", body)["kept"])

    def _call(self, method: str, route: str, body: Json | None = None) -> Any:
        with exchange(self._path, method, route, body, timeout=QUICK_SECONDS) as response:
            answer = parsed(response.read())
            if response.status != http.client.OK:
                raise request_error(response.status, answer)
            return answer

    def _stream(self, route: str, body: Json, *, train: bool = True) -> AnswerStream:
        asked = body | {"stream": True, "stream_options": {"include_usage": True}}
        return AnswerStream(self._path, route, asked, train=train)


CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


def chat_fields(sampling: Sampling | None, choices: int = 1) -> Json:
    """As OpenAI names them; what is as the service has it anyway is left out."""
    sampling = sampling or Sampling()
    fields = {
        one.name: getattr(sampling, one.name)
        for one in dataclasses.fields(Sampling)
        if getattr(sampling, one.name) != one.default
    }
    if "stop" in fields:
        fields["stop"] = list(sampling.stop)
    if sampling.logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    return fields if choices == 1 else fields | {"n": choices}


def completion_fields(sampling: Sampling | None, choices: int = 1) -> Json:
    """The same, with `logprobs` as `/v1/completions` has it: a number."""
    fields = chat_fields(sampling, choices)
    if "top_logprobs" in fields:
        fields["logprobs"] = fields.pop("top_logprobs")
    return fields


def _text(
    events: AnswerStream, begun: Callable[[str], None] | None = None
) -> Generator[str, None, None]:
    """Of the first choice."""
    with events:
        for event in events:
            match event:
                case Begun() if begun is not None:
                    begun(event.id)
                case Text(choice=0) if event.text:
                    yield event.text


def _model(entry: Any) -> ModelInfo:
    try:
        return ModelInfo(**{one.name: entry.get(one.name) for one in _MODEL_FIELDS})
    except (AttributeError, TypeError):
        raise AnswerCutShort from None


_MODEL_FIELDS = dataclasses.fields(ModelInfo)
