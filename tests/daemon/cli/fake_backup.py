"""A `BackupBackend` that answers what a test tells it to."""


class FakeBackup:
    """Answers as given, notes what it was asked."""
