"""What the command line asks about preview, test, audit and export, done.

Implements `ipc.seeing_api.SeeingBackend`.
"""


class SeeingOperations:
    """A part of `Operations`."""
