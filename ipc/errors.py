# ruff: noqa: N818 - `LinkClosed` says what happened; `LinkClosedError` says it twice
"""What can go wrong on the sockets and on the link to the engine.

    IpcError
    ├── LinkError                    the framed link between service and engine
    │   ├── FrameTooLarge
    │   ├── LinkClosed
    │   └── BadFrame
    ├── SocketError                  binding the Unix sockets
    │   ├── ServiceAlreadyRunning
    │   ├── SocketPathTooLong
    │   ├── UnsafeSocketFolder
    │   └── BadActivation
    ├── BridgeError                  the bridge to a TCP port
    │   ├── BridgeTokenMissing
    │   ├── BridgeTokenUnsafe
    │   ├── BridgeTokenDamaged
    │   ├── BridgePortUnavailable
    │   └── BridgeNotLoopback
    ├── RequestError                 what a client of api.sock is answered
    │   ├── BadRequest               400
    │   │   └── PromptTooLong        400 context_length_exceeded
    │   ├── UnknownModel             404 model_not_found
    │   ├── UnknownAnswer            404 answer_not_found
    │   ├── QueueFull                429 with Retry-After
    │   ├── EngineUnavailable        503
    │   ├── AdapterWithdrawn         503, adapter_withdrawn
    │   └── VaultLocked              503
    ├── OperationError               what a client of admin.sock is answered
    ├── NotRunning                   the client found nobody listening
    └── AnswerCutShort               the service went away while it answered

Docstrings are the user's sentences. None of these ever holds text of a request, a document or
an answer, so they can be logged.
"""

from typing import Literal, Self


class IpcError(Exception):
    """Talking to nightloom failed."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else sentence(type(self))


def sentence(error: type[IpcError]) -> str:
    """What the docstring of an error says."""
    return " ".join((error.__doc__ or error.__name__).split())


# --------------------------------------------------------------------------- link


class LinkError(IpcError):
    """The link between the service and the engine failed."""


class FrameTooLarge(LinkError):
    """A message to the other process is larger than the link allows; nothing was sent."""


class LinkClosed(LinkError):
    """The process at the other end of the link is gone."""


class BadFrame(LinkError):
    """The process at the other end of the link sent something that is not a message."""


# --------------------------------------------------------------------------- sockets


class SocketError(IpcError):
    """The service could not open its sockets."""


class ServiceAlreadyRunning(SocketError):
    """Another nightloom already serves this home. Stop it first, or set another NIGHTLOOM_HOME."""

    def __init__(self, pid: int | None = None) -> None:
        who = "Another nightloom" if pid is None else f"Another nightloom (process {pid})"
        super().__init__(
            f"{who} already serves this home. Stop it first, or set another NIGHTLOOM_HOME."
        )
        self.pid = pid


class SocketPathTooLong(SocketError):
    """The path of a socket is longer than the system allows; choose a shorter NIGHTLOOM_HOME."""

    def __init__(self, *, path: str, length: int, limit: int) -> None:
        super().__init__(
            f"The socket path {path} has {length} bytes and this system allows {limit}. "
            f"Choose a NIGHTLOOM_HOME that is at least {length - limit} bytes shorter."
        )
        self.length = length
        self.limit = limit


class UnsafeSocketFolder(SocketError):
    """A folder for the sockets is not safe to use."""

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot hold the sockets: {reason}.")
        self.reason = reason


class BadActivation(SocketError):
    """systemd handed over something that is not a listening Unix socket named `api` or `admin`."""


# --------------------------------------------------------------------------- bridge


class BridgeError(IpcError):
    """The bridge cannot work."""


class BridgeTokenMissing(BridgeError):
    """The bridge's token is gone; `nightloom bridge --new-token` makes another one."""


class BridgeTokenUnsafe(BridgeError):
    """The file with the bridge's token is open to others or not yours, so it is not used;
    `nightloom bridge --new-token` makes another one."""


class BridgeTokenDamaged(BridgeError):
    """The file with the bridge's token holds something else; `nightloom bridge --new-token` makes
    another one."""


class BridgePortUnavailable(BridgeError):
    """The port cannot be had; name another one with --port."""

    def __init__(self, *, port: int, reason: str = "") -> None:
        why = f"cannot be had ({reason})" if reason else "is taken by another program"
        super().__init__(f"Port {port} {why}; name another one with --port.")
        self.port = port


class BridgeNotLoopback(BridgeError):
    """The bridge listens on addresses of this machine alone, 127.0.0.1 and ::1."""


# --------------------------------------------------------------------------- api.sock


class RequestError(IpcError):
    """A request for the model that is answered with an OpenAI error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,  # OpenAI's word
        code: str | None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param


class BadRequest(RequestError):
    """The request cannot be understood."""

    def __init__(
        self,
        message: str = "The request cannot be understood.",
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(
            message, status=status, type="invalid_request_error", code=code, param=param
        )


class PromptTooLong(BadRequest):
    """The prompt is longer than the model's context; send less."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or sentence(type(self)), code="context_length_exceeded")

    @classmethod
    def counted(cls, *, prompt_tokens: int, context_tokens: int) -> Self:
        return cls(
            f"The prompt has {prompt_tokens} tokens and this model's context holds "
            f"{context_tokens}; send less."
        )


class UnknownModel(RequestError):
    """There is no model of that name; GET /v1/models lists those that can be asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message or sentence(type(self)),
            status=404,
            type="invalid_request_error",
            code="model_not_found",
            param="model",
        )


class UnknownAnswer(RequestError):
    """No answer with this id is remembered; only the last ones are, and not past a lock."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message or sentence(type(self)),
            status=404,
            type="invalid_request_error",
            code="answer_not_found",
            param="id",
        )


class QueueFull(RequestError):
    """Too many requests are waiting already; try again in a moment."""

    def __init__(self, message: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(
            message or sentence(type(self)),
            status=429,
            type="rate_limit_error",
            code="queue_full",
        )
        self.retry_after = retry_after  # seconds


class EngineUnavailable(RequestError):
    """The engine stopped; the next request starts it again."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message or sentence(type(self)),
            status=503,
            type="server_error",
            code="engine_unavailable",
        )


class AdapterWithdrawn(RequestError):
    """The adapter that answered was withdrawn, because something that it had learned was
    forgotten, or deleted; ask again."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message or " ".join(sentence(type(self)).split()),
            status=503,
            type="server_error",
            code="adapter_withdrawn",
        )


class VaultLocked(RequestError):
    """The vault is locked; open it with `nightloom unlock`."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message or sentence(type(self)), status=503, type="server_error", code="vault_locked"
        )


# --------------------------------------------------------------------------- admin.sock

OperationCode = Literal["failed", "usage", "locked", "not_running", "refused"]


class OperationError(IpcError):
    """An operation that the service could not or would not do. `code` maps to an exit code."""

    def __init__(self, code: OperationCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code: OperationCode = code
        self.sentence = sentence


# --------------------------------------------------------------------------- client


class NotRunning(IpcError):
    """nightloom is not running. Start it with `nightloom run`."""


class AnswerCutShort(IpcError):
    """nightloom went away before it had answered. `nightloom status` says whether it runs."""
