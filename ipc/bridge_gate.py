"""Which requests the bridge lets through, decided on their heads alone. Pure.

What a page in a browser can send is refused, whatever name it gave this machine: by the `Host`
that it must name, by the `Origin` that its browser adds, by the token that it cannot know, and by
a content type that browsers ask about first, which is never answered with a yes.
"""

import re
from dataclasses import dataclass, field

from ipc.bridge_token import Token
from ipc.errors import BadRequest, RequestError

# Routes of `api.sock`, and the one method of each. Feedback is none of them: it reaches the vault.
ROUTES = {
    "/health": "GET",
    "/v1/models": "GET",
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
}
ONE_MODEL = re.compile(r"/v1/models/[A-Za-z0-9](?:[A-Za-z0-9@._-]|%40){0,127}")
BEARER = re.compile(r"[Bb]earer +(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is looked at of a request. Each header as often as it was sent."""

    method: str
    target: str = field(repr=False)  # as it stands in the request line
    hosts: tuple[str, ...] = field(default=(), repr=False)
    origins: tuple[str, ...] = field(default=(), repr=False)
    authorizations: tuple[str, ...] = field(default=(), repr=False)
    content_types: tuple[str, ...] = field(default=(), repr=False)


def admitted(head: Head, *, hosts: frozenset[str], token: Token) -> str:
    """The route that is asked on `api.sock`; a query is left behind.

    Raises:
        RequestError: 403, 401, 404, 405 or 415, in this order: who has no token learns nothing of
            the routes.
    """
    if len(head.hosts) != 1 or head.hosts[0] not in hosts:
        raise refused(403, "host_not_allowed", "The Host header must be one of the bridge's own.")
    if head.origins:
        raise refused(403, "origin_not_allowed", "The bridge answers no pages of a browser.")
    if not _shows(head.authorizations, token):
        raise no_token()
    route = head.target.partition("?")[0]
    method = "GET" if ONE_MODEL.fullmatch(route) else ROUTES.get(route)
    if method is None:
        raise refused(404, "unknown_route", "There is no such route on the bridge.")
    if head.method != method:
        raise refused(405, "method_not_allowed", "This route does not take that method.")
    if method == "POST" and not _is_json(head.content_types):
        raise refused(415, "json_required", "The Content-Type must be application/json.")
    return route


def refused(status: int, code: str, sentence: str) -> RequestError:
    return BadRequest(sentence, status=status, code=code)


def no_token() -> RequestError:
    """In the words of OpenAI's API, which its clients know."""
    return BadRequest(
        "The API key is missing or wrong; `nightloom bridge --show-token` prints the right one.",
        status=401,
        code="invalid_api_key",
    )


def _shows(authorizations: tuple[str, ...], token: Token) -> bool:
    if len(authorizations) != 1:
        return False
    given = BEARER.fullmatch(authorizations[0])
    return given is not None and token.is_shown(given[1])


def _is_json(content_types: tuple[str, ...]) -> bool:
    if len(content_types) != 1:
        return False
    return content_types[0].partition(";")[0].strip().lower() == "application/json"
