"""A tiny base in 4 bits, for engines that are real processes."""

from pathlib import Path

import pytest

from tests.trainer.tiny_bases import full_precision_folder
from trainer.quantising import quantise_folder


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("base")
    full_precision_folder(folder / "fp", "llama")
    quantise_folder(
        folder / "fp", folder / "nf4", name="tiny-llama", licence="MIT", description="For tests."
    )
    return folder / "nf4"
