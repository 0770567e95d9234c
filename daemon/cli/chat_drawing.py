"""One answer on a terminal, for `nightloom chat -m`: drawn as in a conversation."""

from collections.abc import Sequence

from daemon.cli.chat_answer import Answer, View
from daemon.cli.chat_desk import PlainDesk
from daemon.cli.chat_markdown import Lines
from daemon.cli.chat_talk import Talk
from daemon.cli.chat_view import TerminalView


class DrawingDesk(PlainDesk):
    def view(self, titles: Sequence[str]) -> View:
        return TerminalView(titles, Lines())

    def answered(self, answers: Sequence[Answer], talk: Talk) -> None:
        return None
