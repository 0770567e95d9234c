"""What the command line asks about what is to be forgotten, and what that costs, done.

Implements `ipc.forgetting_api.ForgettingBackend`.
"""


class ForgettingOperations:
    """A part of `Operations`."""
