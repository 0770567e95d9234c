"""Which version answers: fixed when a request comes in, from the shelf as it is then."""

import pytest

from daemon.serving import Pinned, choose_version
from ipc.errors import UnknownModel
from storage.records import AdapterStatus, PublishedAdapter
from tests.storage.making import MEASURED

OURS, THEIRS = "a" * 64, "b" * 64
BASE = Pinned(label="base", adapter=None)


def adapter(
    digit: str, status: AdapterStatus = AdapterStatus.AVAILABLE, base: str = OURS
) -> PublishedAdapter:
    return PublishedAdapter(
        sha256=digit * 64, base=base, parent=None, trained_at=1.0, status=status,
        seen_items=frozenset(), measured=MEASURED,
    )  # fmt: skip


def pinned(digit: str) -> Pinned:
    return Pinned(label=f"personal@{digit * 12}", adapter=digit * 64)


CURRENT = adapter("1", AdapterStatus.CURRENT)
SHELF = [adapter("2"), CURRENT, adapter("3", AdapterStatus.WITHDRAWN), adapter("4", base=THEIRS)]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("base", BASE),
        ("personal", pinned("1")),
        ("personal@" + "1" * 12, pinned("1")),
        ("personal@" + "2" * 6, pinned("2")),
        ("personal@" + "2" * 64, pinned("2")),
    ],
)
def test_a_model_is_the_base_or_one_adapter_of_it(model: str, expected: Pinned) -> None:
    assert choose_version(model, SHELF, OURS) == expected


def test_without_an_adapter_in_use_the_base_answers() -> None:
    assert choose_version("personal", [], OURS) == BASE
    assert choose_version("personal", [adapter("2")], OURS) == BASE


def test_an_adapter_in_use_of_another_base_does_not_answer_and_the_base_does() -> None:
    assert choose_version("personal", SHELF, THEIRS) == BASE


def test_asked_for_by_its_digest_an_adapter_of_another_base_is_named_as_such() -> None:
    with pytest.raises(UnknownModel, match="444444444444 belongs to another base"):
        choose_version("personal@" + "4" * 12, SHELF, OURS)
    assert choose_version("personal@" + "4" * 12, SHELF, THEIRS) == pinned("4")


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt-9",
        "personal@",
        "personal@" + "1" * 5,
        "personal@" + "9" * 12,
        "personal@" + "3" * 12,  # withdrawn
        "1" * 12,
    ],
)
def test_other_names_are_unknown(model: str) -> None:
    with pytest.raises(UnknownModel, match="no model of that name"):
        choose_version(model, SHELF, OURS)


def test_two_adapters_that_begin_alike_are_not_guessed_between() -> None:
    with pytest.raises(UnknownModel):
        choose_version("personal@" + "5" * 12, [adapter("5"), adapter("5")], OURS)
