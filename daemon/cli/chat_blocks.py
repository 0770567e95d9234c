"""Markdown that grows: which of its blocks are complete, and the one that is still open. Pure.

What is complete is drawn once and never again, so a long answer costs no more at its end than at
its beginning, and nothing that was read moves.
"""

import itertools
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


@dataclass(slots=True)
class Blocks:
    """Of one answer."""

    open: str = field(default="", repr=False)

    def push(self, text: str) -> list[str]:
        """Blocks that this has completed, in order."""
        self.open += text
        if "\n" not in text:
            return []  # whether a line begins a block is known at its end
        complete, self.open = split(self.open)
        return complete


def split(text: str) -> tuple[list[str], str]:
    """Blocks that nothing can change any more, and the rest: the last block, which goes on until
    another one has begun, and the line that is not ended.
    """
    starts = _starts(text[: text.rfind("\n") + 1])
    if len(starts) < 2:
        return [], text
    lines = text.split("\n")
    complete = [
        "\n".join(lines[start:end]).strip("\n") for start, end in itertools.pairwise(starts)
    ]
    return complete, "\n".join(lines[starts[-1] :])


def _starts(text: str) -> list[int]:
    """The first line of each block that is not inside of another."""
    return [
        token.map[0]
        for token in PARSER.parse(text)
        if token.level == 0 and token.nesting >= 0 and token.map is not None
    ]
