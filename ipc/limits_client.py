"""The command line's side of `limits_api.py`: retention, quotas, exclusions and pauses."""

from ipc.client_calls import AdminCalls


class LimitsClient(AdminCalls):
    """One method per route."""
