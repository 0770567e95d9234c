"""A yes before something is done that cannot be undone."""

import sys

import click

from daemon.cli.errors import NobodyToAsk, NotConfirmed


def confirm(question: str) -> None:
    """Raises NobodyToAsk, NotConfirmed."""
    if not sys.stdin.isatty():
        raise NobodyToAsk
    if not click.confirm(question, err=True):
        raise NotConfirmed
