"""What the command line asks about retention, quotas, exclusions and pauses, done.

Implements `ipc.limits_api.LimitsBackend`.
"""


class LimitsOperations:
    """A part of `Operations`."""
