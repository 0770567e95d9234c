"""Real children, which find the formats of the tests as well."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.extracting.extractor import Extractor
from tests.daemon.extracting.parts import FOR_TESTS, small

ROOT = Path(__file__).parents[3]


@pytest.fixture
def extractor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Extractor]]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = []

    def make(**given: Any) -> Extractor:
        made.append(Extractor(formats=FOR_TESTS, **{"limits": small(), **given}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def extractor(extractor_with: Callable[..., Extractor]) -> Extractor:
    return extractor_with()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "letter.txt"
    place.write_text("The damsons flowered early.\n")
    return place
