"""The command line's side of `backup_api.py`: the sealed backup as a stream."""

from ipc.client_calls import AdminCalls


class BackupClient(AdminCalls):
    """One method per route."""
