"""The way to the service: this user's home folder and the two sockets in it.

Knows nothing of the questions that are asked there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.home import Home

if TYPE_CHECKING:
    from ipc.client import AdminClient, InferenceClient


def home() -> Home:
    """The home folder that the environment names."""
    return Home.from_environment(os.environ)


@contextmanager
def administration() -> "Iterator[AdminClient]":
    """A connection to `admin.sock`. Raises `NotRunning` at the first question if nobody listens."""
    from ipc.client import AdminClient

    with AdminClient(home().admin_socket) as client:
        yield client


@contextmanager
def inference() -> "Iterator[InferenceClient]":
    """A connection to `api.sock`."""
    from ipc.client import InferenceClient

    with InferenceClient(home().api_socket) as client:
        yield client
