"""The command line's side of `keys_api.py`: the key slots, unlocking and locking, rotation."""

from ipc.client_calls import AdminCalls


class KeysClient(AdminCalls):
    """One method per route."""
