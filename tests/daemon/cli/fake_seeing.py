"""A `SeeingBackend` that answers what a test tells it to."""


class FakeSeeing:
    """Answers as given, notes what it was asked."""
