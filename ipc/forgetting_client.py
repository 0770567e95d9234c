"""The command line's side of `forgetting_api.py`: what is to be forgotten, and what that costs."""

from typing import Any

from ipc.client_calls import AdminCalls

Json = dict[str, Any]


class ForgettingClient(AdminCalls):
    """One method per route.

    `what` has one key: `source`, `document`, `matching`, `answers` (a list of their ids; what is
    meant is all conversations that hold one of them) or `everything`. These take as long as they
    take: a large vault is read, and its keys are wrapped anew.
    """

    def forgetting_cost(self, what: Json) -> Json:
        return self._object("POST", "/forget/cost", what, timeout=None)

    def forget(self, what: Json) -> Json:
        return self._object("POST", "/forget", what, timeout=None)

    def remember(self, path: str) -> Json:
        """`path` is absolute: the service has a working directory of its own."""
        return self._object("POST", "/remember", {"path": path}, timeout=None)
