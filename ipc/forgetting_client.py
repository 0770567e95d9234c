"""The command line's side of `forgetting_api.py`: what is to be forgotten, and what that costs."""

from ipc.client_calls import AdminCalls


class ForgettingClient(AdminCalls):
    """One method per route."""
