"""Who asked what: one value per request, told to whoever keeps account of it.

The program is the one that the kernel names at the other end of the connection. What is told is a
route or a model and a count of tokens, never a path with names in it, and no text.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ipc.peer import Peer, peer_of

SocketName = Literal["api", "admin"]

CLIENT_HEADER = "X-Nightloom-Client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    socket: SocketName
    peer: Peer
    # admin: "GET /status", as the route is written; api: the model that answered, or "feedback"
    what: str
    tokens: int = 0  # of prompt and answer


Account = Callable[[Asked], None]

_MODEL: web.RequestKey[str] = web.RequestKey("model", str)
_TOKENS: web.RequestKey[int] = web.RequestKey("tokens", int)


def note_model(request: web.Request, model: str) -> None:
    """The version that answers this request."""
    request[_MODEL] = model


def note_tokens(request: web.Request, tokens: int) -> None:
    """So many more tokens went into it or came out of it."""
    request[_TOKENS] = request.get(_TOKENS, 0) + tokens


def client_of(request: web.Request) -> str:
    """Who asks, as far as turns between clients go: the process, and where that speaks for many,
    as the bridge does, which of them. Of no other use: any process may send the header.
    """
    pid = _peer(request).pid
    return f"{'?' if pid is None else pid}/{request.headers.get(CLIENT_HEADER, '')[:64]}"


def operations_told(account: Account) -> Middleware:
    """For `admin.sock`: each request is told before it is done, so that a shutdown is told too."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        what = f"{request.method} {_route(request)}"
        account(Asked(socket="admin", peer=_peer(request), what=what))
        return await handler(request)

    return tell


def generations_told(account: Account) -> Middleware:
    """For `api.sock`: each request is told when it has ended, with what it cost.

    A look at whether somebody listens asks for nothing and is not told.
    """

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/health":
            return await handler(request)
        peer = _peer(request)  # now: it may be gone at the end
        return await _told_at_the_end(request, handler(request), peer, account)

    return tell


async def _told_at_the_end(
    request: web.Request,
    answer: Awaitable[web.StreamResponse],
    peer: Peer,
    account: Account,
) -> web.StreamResponse:
    try:
        return await answer
    finally:
        what = request.get(_MODEL) or ("models" if request.method == "GET" else "refused")
        account(Asked(socket="api", peer=peer, what=what, tokens=request.get(_TOKENS, 0)))


def _route(request: web.Request) -> str:
    """As it is written, `/sources/{name}`; what a client made up is not repeated."""
    resource = request.match_info.route.resource
    return "?" if resource is None else resource.canonical


def _peer(request: web.Request) -> Peer:
    transport = request.transport
    connection = None if transport is None else transport.get_extra_info("socket")
    return Peer() if connection is None else peer_of(connection)
