"""Notebooks: what was written, not what was computed."""

import io
import json
from typing import Any

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.notebook import extract
from tests.daemon.extracting.papers import FACTS, LETTER


def cell(kind: str, source: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {}}


def text_of(notebook: object) -> str:
    (found,) = extract(io.BytesIO(json.dumps(notebook).encode()), FACTS)
    assert found.about == {"format": "ipynb"}
    return found.text


def test_markdown_cells_are_taken_and_code_and_results_are_not() -> None:
    code = cell("code", "password = 1") | {"outputs": [{"text": "result"}]}
    picture = "![plot](data:image/png;base64,AAAA)"
    cells = [cell("markdown", ["# Bienen\n", LETTER]), code, cell("markdown", f"Ende. {picture}")]
    assert text_of({"cells": cells, "nbformat": 4}) == f"# Bienen\n{LETTER}\n\nEnde."


def test_half_a_character_costs_one_character() -> None:
    assert text_of({"cells": [cell("markdown", "Zo\ud800e \ud83d\udc1d")]}) == "Zo\ufffde 🐝"


def test_old_notebooks_have_sheets() -> None:
    assert text_of({"worksheets": [{"cells": [cell("markdown", "Alt.")]}]}) == "Alt."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", SkipReason.DAMAGED),
        (b"[" * 100_000, SkipReason.DAMAGED),
        (b'"text"', SkipReason.DAMAGED),
        (b'{"cells": 3}', SkipReason.DAMAGED),
        (b"\xff\xfe\x00", SkipReason.DAMAGED),
        (b'{"cells": []}', SkipReason.NO_TEXT),
        (b'{"cells": [3, null, {"cell_type": "markdown", "source": 4}]}', SkipReason.NO_TEXT),
    ],
)
def test_what_is_no_notebook_is_named(data: bytes, reason: SkipReason) -> None:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    assert caught.value.reason is reason
