"""A real D-Bus of the tests' own."""

from tests.private_bus import private_bus

__all__ = ["private_bus"]  # a fixture
