"""What the tests of this folder share: the story, and homes with a tiny base to begin from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import story as stories
from tests.pipeline import tiny
from tests.pipeline.living import Nightloom, copied_home, new_home


@pytest.fixture(scope="session")
def story() -> Iterator[stories.Story]:
    """One night on the built-in base, lived once; the service still runs."""
    with stories.lived() as story:
        yield story


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def before_a_night(tiny_base: Path) -> Iterator[Nightloom]:
    """A stopped home with notes, to be copied."""
    with tiny.home_with_notes(tiny_base) as place:
        yield place


@pytest.fixture(scope="session")
def after_a_night(before_a_night: Nightloom) -> Iterator[Nightloom]:
    """A stopped home with notes and an adapter, to be copied."""
    with copied_home(before_a_night) as place:
        tiny.learn(place)
        yield place


@pytest.fixture
def noted(before_a_night: Nightloom) -> Iterator[Nightloom]:
    """A home of the test's own whose notes wait for their first night; not started."""
    with copied_home(before_a_night) as place:
        yield place


@pytest.fixture
def learned(after_a_night: Nightloom) -> Iterator[Nightloom]:
    """A home of the test's own with an adapter in use; not started."""
    with copied_home(after_a_night) as place:
        yield place


@pytest.fixture
def place() -> Iterator[Nightloom]:
    """An empty home."""
    with new_home() as place:
        yield place
