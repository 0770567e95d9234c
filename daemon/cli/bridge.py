"""`nightloom bridge`: the model for programs that know only TCP, in a process of its own."""

import click

from daemon.cli.output import say
from daemon.cli.reaching import home
from storage.errors import VaultMissing

LOWEST_PORT = 1024  # those below belong to the system
PR_SET_NAME = 15  # linux/prctl.h; the kernel keeps 15 letters of it


def _usable_port(_context: click.Context, _option: click.Parameter, port: int | None) -> int | None:
    if port is not None and 0 < port < LOWEST_PORT:
        raise click.BadParameter(f"ports below {LOWEST_PORT} belong to the system")
    return port


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    callback=_usable_port,
    metavar="P",
    help="Listen on this port of 127.0.0.1; 0 takes a free one.",
)
@click.option("--ipv6", is_flag=True, help="Listen on [::1] as well.")
@click.option("--show-token", is_flag=True, help="Print what programs have to give as API key.")
@click.option("--new-token", is_flag=True, help="Make another one; the old one holds no more.")
def bridge(port: int | None, ipv6: bool, show_token: bool, new_token: bool) -> None:
    """Let programs of this machine that know only TCP ask the model, until Ctrl-C.

    They need the bridge's token as their API key. Nothing but inference goes through it, pages in a
    browser are refused, and no other machine can reach it.
    """
    if port is None and not (show_token or new_token):
        raise click.UsageError("Name a port, such as --port 8484.")
    if not home().vault_exists():
        raise VaultMissing
    from ipc.bridge_token import ensure_token, read_token, replace_token

    file = home().bridge_token
    if new_token:
        replace_token(file)
        say("There is a new token; give it to the programs that had the old one.")
    else:
        ensure_token(file)
    token = read_token(file)
    if show_token:
        say(token.text)
    if port is not None:
        _serve(port, ipv6=ipv6)


def _serve(port: int, *, ipv6: bool) -> None:
    """Opens the port, gives up the way to all others, and serves."""
    import asyncio
    from contextlib import ExitStack
    from functools import partial

    from daemon.confinement import confine_bridge
    from ipc.bridge import serve
    from ipc.loopback import listen, port_of

    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in listen(port, ipv6=ipv6)]
        _take_a_name()
        confine_bridge()
        ready = partial(_say_ready, port_of(sockets[0]))
        asyncio.run(serve(sockets, home().api_socket, home().bridge_token, listening=ready))


def _take_a_name() -> None:
    """So that `privacy audit` tells what came through the bridge from what a person asked."""
    import ctypes
    import sys

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, b"nightloom-bridge", 0, 0, 0)


def _say_ready(port: int) -> None:
    say(f"Programs find the model at http://127.0.0.1:{port}/v1 until Ctrl-C.")
    say("Their API key is what `nightloom bridge --show-token` prints.")
