"""A `KeysBackend` that answers what a test tells it to."""


class FakeKeys:
    """Answers as given, notes what it was asked."""
