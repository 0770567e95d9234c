"""`nightloom bridge`: a loopback TCP port in front of `api.sock`, for programs that know only TCP.

A process of its own. Each request is looked at by `bridge_gate.py` and asked anew on the socket:
of its headers nothing goes along but `X-No-Train`, of the answer's only those named here. Nothing
of either is kept or logged. Knows nothing of models, the vault or `admin.sock`.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ipc.asking import CLIENT_HEADER
from ipc.bridge_gate import Head, admitted
from ipc.bridge_token import read_token
from ipc.errors import (
    AnswerCutShort,
    BridgeError,
    IpcError,
    NotRunning,
    RequestError,
    sentence,
)
from ipc.exchange import EventStream, json_answer, whole_body
from ipc.inference_api import as_request_error
from ipc.listening import Limits, Listening
from ipc.loopback import hosts_of, is_near
from ipc.openai_format import error_object

NO_TRAIN = "X-No-Train"
ANSWERED = ("Retry-After", "Allow")  # besides type and length
# Half of what the socket takes, so that clients of the bridge never lock out the others.
LIMITS = Limits(connections=32)
CONNECT_SECONDS = 10.0


async def serve(
    sockets: Sequence[socket.socket],
    api_socket: Path,
    token_file: Path,
    *,
    listening: Callable[[], None],
) -> None:
    """Until SIGINT or SIGTERM. `listening` is called when requests are answered."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    bridge = Bridge(api_socket, token_file)
    try:
        await bridge.start(sockets)
        listening()
        await stop.wait()
    finally:
        await bridge.stop()


class Bridge:
    """Serves from `start` to `stop`. The sockets stay the caller's to close."""

    def __init__(self, api_socket: Path, token_file: Path, *, limits: Limits = LIMITS) -> None:
        self._api_socket = api_socket
        self._token_file = token_file
        self._limits = limits
        self._hosts = frozenset[str]()
        self._served: list[Listening] = []
        self._session: aiohttp.ClientSession | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        self._hosts = hosts_of(sockets)
        self._session = session_to(self._api_socket)
        for each in sockets:
            app = web.Application(
                client_max_size=self._limits.body_bytes, middlewares=[self._everything()]
            )
            self._served.append(
                await Listening.start(each, app, limits=self._limits, lets_in=is_near)
            )

    async def stop(self) -> None:
        """Takes no new connection, lets answers end for `stop_seconds`, then cuts them off."""
        for each in self._served:
            await each.stop_accepting()
        for each in self._served:
            await each.stop()
        self._served.clear()
        if self._session is not None:
            await self._session.close()

    def _everything(self) -> Middleware:
        """There is no router: what may be asked is the gate's to say."""

        @web.middleware
        async def everything(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await self._answer(request)
            except Exception as error:
                return refusal(error)

        return everything

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        route = admitted(head_of(request), hosts=self._hosts, token=read_token(self._token_file))
        body = await whole_body(request) if request.method == "POST" else None
        assert self._session is not None
        try:
            async with self._session.request(
                request.method,
                f"http://nightloom{route}",
                data=body,
                headers=headers_for(request, has_body=body is not None),
                allow_redirects=False,
            ) as answer:
                return await passed_on(request, answer)
        except aiohttp.ClientConnectorError:
            raise NotRunning from None
        except aiohttp.ClientError:
            raise AnswerCutShort from None


def session_to(api_socket: Path) -> aiohttp.ClientSession:
    """A connection for each request: who hangs up on the bridge hangs up there too."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path=str(api_socket), force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        auto_decompress=False,
        trust_env=False,
    )


def head_of(request: web.Request) -> Head:
    def sent(name: str) -> tuple[str, ...]:
        return tuple(request.headers.getall(name, ()))

    return Head(
        method=request.method,
        target=request.raw_path,
        hosts=sent("Host"),
        origins=sent("Origin"),
        authorizations=sent("Authorization"),
        content_types=sent("Content-Type"),
    )


def headers_for(request: web.Request, *, has_body: bool) -> dict[str, str]:
    """What the socket is told; nothing else of the request's head goes there."""
    headers = {CLIENT_HEADER: connection_of(request)}
    if has_body:
        headers["Content-Type"] = "application/json"
    if NO_TRAIN in request.headers:
        headers[NO_TRAIN] = request.headers[NO_TRAIN]
    return headers


def connection_of(request: web.Request) -> str:
    """The TCP connection, which is as near to a program as its own port tells."""
    name = request.transport and request.transport.get_extra_info("peername")
    return f"bridge-{name[1]}" if name else "bridge"


async def passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """The answer as it comes, byte for byte; who takes nothing for a minute is cut off."""
    stream = EventStream(request, content_type=answer.headers.get("Content-Type", ""))
    stream.response.set_status(answer.status)
    stream.response.headers.update(
        {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    )
    stream.response.content_length = answer.content_length
    await stream.open()
    try:
        async for piece in answer.content.iter_any():
            await stream.write(piece)
    except (ConnectionError, aiohttp.ClientError):
        # One of the two is gone. An answer that the service cut short must not look whole.
        if request.transport is not None:
            request.transport.abort()
    return stream.response


# --------------------------------------------------------------------------- errors


def refusal(error: Exception) -> web.Response:
    """As the socket would say it; `WWW-Authenticate` is HTTP's own word with a 401."""
    told = unavailable(error) if isinstance(error, IpcError) else as_request_error(error)
    headers = {"WWW-Authenticate": "Bearer"} if told.status == 401 else {}
    return json_answer(error_object(told), status=told.status, headers=headers)


def unavailable(error: IpcError) -> RequestError:
    """What is wrong between the bridge and the service, in the form of OpenAI's errors."""
    if isinstance(error, RequestError):
        return error
    code = "bridge_token_unusable" if isinstance(error, BridgeError) else "not_running"
    said = str(error) or sentence(type(error))
    return RequestError(said, status=503, type="server_error", code=code)
