"""Planted sentences are looked for in every file of the vault, while it works and after."""

import logging
from pathlib import Path

import pytest

from storage.records import DocumentState, SourceSettings
from storage.vault import Vault
from tests.storage.making import PASSPHRASE, publish, put, reopen

CANARY = "The tin moth sleeps beneath Zennor harbour"


def found_in(folder: Path, *words: str) -> list[str]:
    """Files that hold one of the words, in UTF-8 or UTF-16."""
    needles = [
        word.encode(encoding) for word in words for encoding in ("utf-8", "utf-16-le", "utf-16-be")
    ]
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def test_the_search_finds_what_lies_in_clear(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text(f"... {CANARY} ...")
    (tmp_path / "wide").write_text(f"... {CANARY} ...", encoding="utf-16")
    assert sorted(found_in(tmp_path, CANARY)) == ["plain", "wide"]


def test_nothing_that_was_told_lies_in_clear(
    vault: Vault,
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))
    caplog.set_level(logging.DEBUG)
    told = (CANARY, "zennor-diary", "moth-notes", "/home/zennor", PASSPHRASE, "night-of-the-moth")

    for number in range(50):
        put(vault, f"{CANARY}. " * 40 + str(number), f"/home/zennor/zennor-diary-{number}.md")
    put(vault, f"{CANARY} again", "/home/zennor/zennor-diary-1.md")
    vault.sources.add(SourceSettings(name="moth-notes", kind="folder", path="/home/zennor"))
    vault.checkpoints.write("night-of-the-moth", [CANARY.encode() * 3000])
    vault.samples.write("night-of-the-moth", [CANARY.encode()])
    publish(vault, CANARY.encode() * 100)
    vault.ledger.begin_night({"reason": CANARY})
    vault.ledger.append_event("collected", {"what": CANARY})
    with vault.transaction():
        put(vault, f"{CANARY} in an open transaction", "/home/zennor/open.md")
        assert found_in(folder, *told) == []
    assert found_in(folder, *told) == []
    assert len(list(vault.documents.read_many(set(DocumentState)))) == 52
    vault.close()
    with reopen(folder) as again:
        assert again.verify().intact
        assert found_in(folder, *told) == []
    assert found_in(folder, *told) == []
    assert list(temporary.iterdir()) == []
    assert "moth" not in caplog.text
