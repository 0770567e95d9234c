"""What the command line asks about the sealed backup as a stream, done.

Implements `ipc.backup_api.BackupBackend`.
"""


class BackupOperations:
    """A part of `Operations`."""
