"""What the licence of a model is, as far as the model says. Pure.

A model card is hostile input: only a short word or name and a link are taken from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNSTATED = "none"  # what `--accept-licence` calls the licence of a model that states none
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"^(license|license_name|license_link):[ \t]*['\"]?(.*?)['\"]?[ \t]*$", re.M)
LINK = re.compile(r"https?://[!-~]{1,200}|[\w.-]{1,80}", re.ASCII)
LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What is known of a licence; all None if nothing is."""

    name: str | None = None  # as in apache-2.0
    link: str | None = None
    title: str | None = None  # first line of the licence's text

    @property
    def word(self) -> str:
        """What accepts it: its name, or that there is none."""
        return self.name or UNSTATED

    @property
    def recorded(self) -> str:
        """What a base's facts say."""
        return self.name or self.title or "not stated"

    def accepted_by(self, word: str) -> bool:
        """Whether somebody who accepts `word` means this one."""
        return word.strip().lower() == self.word.lower()


def from_card(card: Mapping[str, Any], text: str | None) -> Licence:
    """From a model card's settings and the text of a licence file, where there are any."""
    name = card.get("license")
    if isinstance(name, list) and len(name) == 1:
        name = name[0]
    if name == "other":
        name = card.get("license_name") or name
    link = card.get("license_link")
    return Licence(
        name=_line(name),
        link=link if isinstance(link, str) and LINK.fullmatch(link) else None,
        title=_title(text),
    )


def card_of(readme: str) -> dict[str, str]:
    """What the front matter of a model's README says about its licence."""
    front = FRONT_MATTER.search(readme)
    return dict(NAMED.findall(front[1])) if front else {}


def _title(text: str | None) -> str | None:
    lines = (line.strip() for line in (text or "").splitlines())
    return _line(next((line for line in lines if line), None))


def _line(value: object) -> str | None:
    """One short printable line, or nothing."""
    if not isinstance(value, str):
        return None
    return "".join(c for c in value if c.isprintable()).strip()[:LONGEST] or None
