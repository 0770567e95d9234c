r"""The manual page nightloom(1), made from the tree of commands, in the macros of man(7).

What stands in the command's own help is all there is to say; nothing is written twice. Text is
escaped so that no line of it is taken for a macro.
"""

import re
from collections.abc import Iterator

import click

from daemon.installing.own_files import SIGN

PAGE = "man/man1/nightloom.1"  # below a data folder
CODES = (
    ("0", "done; also a night that the gate refused, which is a result"),
    ("1", "failed"),
    ("2", "usage: the command or the configuration is not right"),
    ("3", "locked: the vault is, or what was given does not open it"),
    ("4", "not running: no service listens on this home"),
    ("5", "refused by policy"),
)
ENVIRONMENT = (
    ("NIGHTLOOM_HOME", "one folder for configuration, vault, bases and sockets"),
    ("NIGHTLOOM_PASSPHRASE_FILE", "a private file with the passphrase, for init, run and unlock"),
)


def manual(root: click.Group, *, version: str) -> str:
    """The page as roff.

    Args:
        root: the command; its help is the description.
    """
    summary, described = _help(root)
    lines = [
        f'.\\" {SIGN}; `nightloom service install` makes it again.',
        f'.TH NIGHTLOOM 1 "" "nightloom {_escaped(version)}" "User Commands"',
        ".SH NAME",
        f"nightloom \\- {_escaped(summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B nightloom",
        ".I COMMAND",
        "[\\fIOPTION\\fR]...",
        ".SH DESCRIPTION",
        *_paragraphs(described),
        ".SH COMMANDS",
        *_commands(root, ("nightloom",)),
        ".SH ENVIRONMENT",
        *_items(ENVIRONMENT),
        ".SH EXIT STATUS",
        *_items(CODES),
        "After a signal it is 128 and the number of the signal.",
    ]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, above: tuple[str, ...]) -> Iterator[str]:
    """Every verb below a group, in the order of the alphabet, each with its options."""
    for name in sorted(group.commands):
        command = group.commands[name]
        if command.hidden:
            continue
        path = (*above, name)
        if isinstance(command, click.Group):
            yield from _commands(command, path)
            continue
        yield f".SS \\fB{_escaped(' '.join(path))}\\fR{_arguments(command)}"
        yield from _paragraphs(" ".join(_help(command)))
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                yield from _option(option, click.Context(command))


def _arguments(command: click.Command) -> str:
    with click.Context(command) as context:
        pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    options = " [\\fIOPTION\\fR]..." if any(
        isinstance(one, click.Option) and not one.hidden for one in command.params
    ) else ""  # fmt: skip
    return options + "".join(f" \\fI{_escaped(piece)}\\fR" for piece in pieces)


def _option(option: click.Option, context: click.Context) -> Iterator[str]:
    record = option.get_help_record(context)
    if record is not None:
        yield ".TP"
        yield f"\\fB{_escaped(record[0])}\\fR"
        yield _line(record[1]) or "\\&"


def _items(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, what in rows:
        yield from (".TP", f"\\fB{_escaped(name)}\\fR", _line(what))
    yield ".PP"


def _help(command: click.Command) -> tuple[str, str]:
    """First sentence and the rest of the help."""
    paragraphs = (command.help or "").partition("\f")[0].strip().split("\n\n", 1)
    first = " ".join(paragraphs[0].split())
    return first, paragraphs[1] if len(paragraphs) > 1 else ""


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        words = " ".join(paragraph.replace("\b", " ").split())
        if words:
            yield from (".PP", _line(words))


def _line(text: str) -> str:
    """One line of text that roff cannot take for a macro."""
    escaped = _escaped(" ".join(text.split()))
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    """Signs that mean something to roff, and code as bold instead of in backquotes."""
    safe = text.replace("\\", "\\(rs").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", safe)
