"""Tiny real bases of every family, quantised and loaded through the real 4-bit path."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.trainer.tiny_bases import FAMILIES, full_precision_folder
from trainer.base_model import BaseModel, load_base
from trainer.quantising import quantise_folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from more, and sums keep one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Full-precision folders by family, made once each. Read them, do not change them."""
    made: dict[str, Path] = {}

    def source(family: str) -> Path:
        if family not in made:
            made[family] = full_precision_folder(tmp_path_factory.mktemp(family) / "fp", family)
        return made[family]

    return source


@pytest.fixture(scope="session")
def base_folders(sources: Callable[[str], Path]) -> Callable[[str], Path]:
    """4-bit folders by family, made once each. Read them, do not change them."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            out = sources(family).with_name("nf4")
            quantise_folder(
                sources(family), out, name=f"tiny-{family}", licence="MIT", description="For tests."
            )
            made[family] = out
        return made[family]

    return folder


@pytest.fixture(scope="session", params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    """Every supported family in turn."""
    return str(request.param)


@pytest.fixture
def load(base_folders: Callable[[str], Path]) -> Callable[..., BaseModel]:
    """Load the tiny base of a family; fp32 unless told otherwise, so that results are close."""

    def loaded(family: str = "llama", dtype: torch.dtype = torch.float32) -> BaseModel:
        return load_base(base_folders(family), compute_dtype=dtype)

    return loaded
