"""Markdown as lines of a terminal, through rich. Loaded where an answer is shown on a terminal.

The model's words drive nothing: control characters are out before, links are shown as they are,
and HTML is text.
"""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segments

from daemon.cli.chat_blocks import PARSER

if TYPE_CHECKING:
    from markdown_it.token import Token

CODE_THEME = "ansi_dark"  # the terminal's own colours


class Answered(Markdown):
    """As rich shows it, with lines ended where the model ended them."""

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme=CODE_THEME, hyperlinks=False)
        self.parsed = PARSER.parse(text)
        for token in self.parsed:
            _keep_line_ends(token)


def _keep_line_ends(token: "Token") -> None:
    for child in token.children or ():
        if child.type == "softbreak":
            child.type = "hardbreak"


class Lines:
    """Markdown to lines with the colours that a console has."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def of(self, text: str, width: int, *, pad: bool = False) -> list[str]:
        """Without empty lines around it; as wide as `width` with `pad`."""
        options = self._console.options.update(width=max(width, 10))
        lines = self._console.render_lines(Answered(text), options, pad=pad)
        shown = []
        for line in lines:
            with self._console.capture() as captured:
                self._console.print(Segments(line), end="", soft_wrap=True)
            shown.append(captured.get() if pad else captured.get().rstrip(" "))
        while shown and not shown[0].strip():
            shown.pop(0)
        while shown and not shown[-1].strip():
            shown.pop()
        return shown

    def dim(self, text: str) -> str:
        with self._console.capture() as captured:
            self._console.print(text, style="dim", end="", markup=False, soft_wrap=True)
        return captured.get()
