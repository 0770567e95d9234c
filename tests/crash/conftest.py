"""Homes of the tests' own, as in the pipeline's."""

from tests.pipeline.conftest import before_a_night, noted, place, tiny_base

__all__ = ["before_a_night", "noted", "place", "tiny_base"]
