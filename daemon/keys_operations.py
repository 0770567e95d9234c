"""What the command line asks about the key slots, unlocking and locking, rotation, done.

Implements `ipc.keys_api.KeysBackend`.
"""


class KeysOperations:
    """A part of `Operations`."""
