"""HTML: the main text of a page, without menus, banners and footers.

Where no main text is found, all of its text.
"""

import re
import sys
from collections.abc import Iterator
from typing import BinaryIO

from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.html_text import add_text, decoded, language_of, title_of, tree_of
from daemon.extracting.paragraphs import Paragraphs, about, of_worth

# Where it finds a model of languages the library loads it, and numpy: 40 MB that nobody here asks.
_SPARED = {"py3langid"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(_SPARED))  # type: ignore[arg-type]
import trafilatura  # noqa: E402

for _name in _SPARED:
    del sys.modules[_name]

FAST_CHARACTERS = 1 << 20  # beyond it the main text is looked for in one way only
SHORTEST = 250  # characters; below it the library gives all words of a page, without its blocks

# The library drops what cannot be printed: also what joins emoji and parts letters in Persian. It
# goes through in the shape of signs that no page has.
_JOINERS = (0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_DISGUISES = {joiner: 0x10600 + number for number, joiner in enumerate(_JOINERS)}  # Linear A
_FACES = {there: here for here, there in _DISGUISES.items()}
_DISGUISED = re.compile("[\U00010600-\U0001060f]")
_NAMED = {"zwnj": 0x200C, "zwj": 0x200D, "lrm": 0x200E, "rlm": 0x200F}
_ENTITY = re.compile(r"&(?:(zwn?j|lrm|rlm)|#x(200[c-f])|#(820[4-7]));", re.IGNORECASE)


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    source = decoded(file.read())
    tree = tree_of(source)
    known = about(title=title_of(tree), language=language_of(tree), format="html")
    text = main_text(source)
    if len(text) < SHORTEST:
        text = _all_text(tree, facts.most_bytes)
    yield Extracted(text=of_worth(text), about=known)


def main_text(source: str) -> str:
    """Empty where there is none to be found."""
    if "<body" not in source.lower():  # the parser would take all of it for a page's head
        source = f"<html><body>{source}</body></html>"
    disguise = not _DISGUISED.search(source)
    if disguise:
        source = _ENTITY.sub(_joiner, source).translate(_DISGUISES)
    found = trafilatura.extract(
        source,
        output_format="markdown",
        include_comments=False,
        include_images=False,
        include_links=False,
        fast=len(source) > FAST_CHARACTERS,
    )
    text = (found or "").strip()
    return text.translate(_FACES) if disguise else text


def _joiner(entity: "re.Match[str]") -> str:
    if entity[1]:
        return chr(_NAMED[entity[1].lower()])
    return chr(int(entity[2], 16) if entity[2] else int(entity[3]))


def _all_text(tree: object, most_bytes: int) -> str:
    text = Paragraphs(most_bytes)
    add_text(tree, text)
    return text.text()


# A worker is forked for each file and has what is loaded by then: lists of words, 0.2 s of a page.
for _words in ("A page to begin with. " * 20, "A short one."):
    main_text(f"<p>{_words}</p>")
