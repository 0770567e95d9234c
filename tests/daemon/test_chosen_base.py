"""The base that the configuration names, and what answers with it."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.bases import BUILTIN, Bases
from daemon.chosen_base import ChosenBase, answering
from daemon.errors import BaseUnusable, UnknownBase
from storage.records import AdapterStatus, PublishedAdapter
from tests.storage.making import MEASURED
from trainer.base_format import FACTS_FILE, read_facts

OURS, THEIRS = "a" * 64, "b" * 64
ADAPTER = PublishedAdapter(
    sha256="c" * 64, base=OURS, parent=None, trained_at=1.0, status=AdapterStatus.CURRENT,
    seen_items=frozenset(), measured=MEASURED,
)  # fmt: skip


def test_the_adapter_in_use_answers_with_its_own_base_and_no_other() -> None:
    assert answering(ADAPTER, OURS) is ADAPTER
    assert answering(ADAPTER, THEIRS) is None
    assert answering(replace(ADAPTER, base=THEIRS), OURS) is None


def test_nothing_answers_without_an_adapter_or_without_a_base() -> None:
    assert answering(None, OURS) is None
    assert answering(ADAPTER, None) is None


def test_a_base_that_is_there_says_what_it_is(tmp_path: Path) -> None:
    base = ChosenBase(Bases(tmp_path), BUILTIN)
    assert base.problem() is None
    assert base.facts() == read_facts(base.folder())
    assert base.identity() == base.facts().identity


def test_a_base_that_is_not_there_has_no_identity(tmp_path: Path) -> None:
    base = ChosenBase(Bases(tmp_path), "elsewhere")
    with pytest.raises(UnknownBase):
        base.folder()
    assert base.identity() is None
    assert "nightloom base list" in (base.problem() or "")


def test_a_base_that_cannot_be_read_is_named_and_found_once_it_is_mended(tmp_path: Path) -> None:
    whole = ChosenBase(Bases(tmp_path), BUILTIN).folder() / FACTS_FILE
    facts = tmp_path / "own" / FACTS_FILE
    facts.parent.mkdir()
    facts.write_text("{")
    base = ChosenBase(Bases(tmp_path), "own")

    with pytest.raises(BaseUnusable, match=FACTS_FILE):
        base.facts()
    assert base.identity() is None
    assert FACTS_FILE in (base.problem() or "")

    facts.write_bytes(whole.read_bytes())
    assert base.identity() == read_facts(whole.parent).identity
