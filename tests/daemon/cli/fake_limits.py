"""A `LimitsBackend` that answers what a test tells it to."""


class FakeLimits:
    """Answers as given, notes what it was asked."""
