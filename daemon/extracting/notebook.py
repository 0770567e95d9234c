"""Jupyter notebooks: what is written in the Markdown cells. Code and its results are left out."""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.paragraphs import Paragraphs, about, of_worth

_PICTURE = re.compile(r"!\[[^\]\n]{0,500}\]\((?:data:|attachment:)[^)\n]*\)")


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    try:
        notebook = json.loads(file.read())
    except (ValueError, RecursionError):
        raise Unreadable(SkipReason.DAMAGED) from None
    text = Paragraphs(facts.most_bytes)
    for cell in _cells(notebook):
        if cell.get("cell_type") == "markdown":
            text.add(_PICTURE.sub("", _source(cell)), as_it_is=True)
    title = _dictionary(notebook.get("metadata")).get("title")
    known = about(title=title if isinstance(title, str) else None, format="ipynb")
    yield Extracted(text=of_worth(text.text()), about=known)


def _cells(notebook: Any) -> Iterator[dict[str, Any]]:
    """In order; those of version 3 lie in worksheets."""
    if not isinstance(notebook, dict):
        raise Unreadable(SkipReason.DAMAGED)
    sheets = [notebook, *map(_dictionary, _list(notebook.get("worksheets")))]
    if not any(isinstance(sheet.get("cells"), list) for sheet in sheets):
        raise Unreadable(SkipReason.DAMAGED)
    for sheet in sheets:
        yield from map(_dictionary, _list(sheet.get("cells")))


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
