"""What the licence of a model is, as far as the model says."""

from typing import Any

import pytest

from daemon.adding.licence import Licence, card_of, from_card

README = """---
language: en
license: other
license_name: "bees-only"
license_link: LICENSE
---

# A model

license: mit is not what stands here.
"""


@pytest.mark.parametrize(
    ("card", "name", "link"),
    [
        ({"license": "apache-2.0"}, "apache-2.0", None),
        ({"license": ["mit"]}, "mit", None),
        ({"license": ["mit", "gpl"]}, None, None),
        ({"license": "other"}, "other", None),
        ({"license": "other", "license_name": "bees-only", "license_link": "LICENSE"},
         "bees-only", "LICENSE"),
        ({"license": "x", "license_link": "https://example.org/terms"},
         "x", "https://example.org/terms"),
        ({"license": "x", "license_link": "javascript:evil()"}, "x", None),
        ({"license": "\x1b[2J" + "x" * 200}, "[2J" + "x" * 77, None),
        ({"license": 7}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_a_card_gives_a_short_name_and_a_link(
    card: dict[str, Any], name: str | None, link: str | None
) -> None:
    assert from_card(card, None) == Licence(name=name, link=link)


def test_the_text_gives_its_first_line() -> None:
    assert from_card({}, "\n\n   Apache License\n Version 2.0\n").title == "Apache License"
    assert from_card({}, " \n").title is None


def test_a_readme_says_it_in_its_front_matter_only() -> None:
    assert card_of(README) == {
        "license": "other", "license_name": "bees-only", "license_link": "LICENSE",
    }  # fmt: skip
    assert card_of("# A model\n\nlicense: mit\n") == {}


def test_it_is_accepted_by_its_name_in_any_letters_and_by_no_other() -> None:
    assert Licence(name="apache-2.0").accepted_by(" Apache-2.0")
    assert not Licence(name="apache-2.0").accepted_by("mit")
    assert Licence().accepted_by("none")
    assert not Licence(name="mit").accepted_by("none")


def test_what_is_recorded_is_the_best_that_is_known() -> None:
    assert Licence(name="mit", title="MIT License").recorded == "mit"
    assert Licence(title="MIT License").recorded == "MIT License"
    assert Licence().recorded == "not stated"
