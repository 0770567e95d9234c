"""The command line's side of `seeing_api.py`: preview, test, audit and export."""

from ipc.client_calls import AdminCalls


class SeeingClient(AdminCalls):
    """One method per route."""
