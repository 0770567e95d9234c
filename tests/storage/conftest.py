"""A vault that opens fast: real Argon2id, real SQLite, real files, a small memory cost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path) -> Iterator[Vault]:
    vault, _ = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    with vault:
        yield vault
