"""A `ForgettingBackend` that answers what a test tells it to."""


class FakeForgetting:
    """Answers as given, notes what it was asked."""
