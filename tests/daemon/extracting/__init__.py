"""Tests of extracting."""
