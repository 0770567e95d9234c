"""What each step of the guide has: a person to ask, and a running service with its vault open.

Knows nothing of the steps. The service that the guide starts is its own child and ends with it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.asking_secret import asked_secret, given_secret
from daemon.cli.demo_interrupts import Interrupts
from daemon.cli.demo_service import DemoService
from daemon.cli.errors import (
    DemoServiceDied,
    DemoServiceSlow,
    SetupServiceDied,
    SetupServiceSlow,
)
from daemon.cli.exits import is_known, sentence
from daemon.cli.output import Json, say
from daemon.cli.reaching import administration
from ipc.errors import NotRunning

if TYPE_CHECKING:
    from ipc.client import AdminClient


class Guide:
    """One run of the guide.

    Args:
        yes: nobody is asked; what would be proposed is done.
        again: the user named the step, so it is taken although it is done.
        folder: the first source, where it was named with the command.
        cleanup: ends what the guide started.
    """

    def __init__(
        self,
        *,
        yes: bool,
        again: bool,
        passphrase_file: Path | None,
        folder: Path | None,
        interrupts: Interrupts,
        cleanup: ExitStack,
    ) -> None:
        self.yes = yes
        self.again = again
        self.passphrase_file = passphrase_file
        self.folder = folder
        self.interrupts = interrupts
        self.environment = dict(os.environ)  # before the trainer's import forbids the network
        self._secret: Json | None = None  # opens the vault; kept as long as the guide runs
        self._running = cleanup.enter_context(ExitStack())
        self._started = False

    # ------------------------------------------------------------------- asking

    def confirm(self, question: str, *, default: bool) -> bool:
        """The answer of the person; the default where nobody is asked."""
        return default if self.yes else click.confirm(question, default=default, err=True)

    def choose(self, question: str, choices: Sequence[str], *, default: str) -> str:
        """One of these words; who types another is asked again."""
        if self.yes:
            return default
        kind = click.Choice(list(choices))
        chosen: str = click.prompt(question, type=kind, default=default, err=True)
        return chosen

    def line(self, question: str) -> str:
        """What is typed, without the blanks around it; empty where nobody is asked."""
        if self.yes:
            return ""
        typed: str = click.prompt(question, default="", show_default=False, err=True)
        return typed.strip()

    def survives(self, error: Exception) -> bool:
        """Says what went wrong, if it is something that one can put right and try again."""
        if self.yes or not is_known(error):
            return False
        say(f"✗ {sentence(error)}")
        return True

    # ------------------------------------------------------------------- the service

    @property
    def has_own_service(self) -> bool:
        return self._started

    def remember(self, passphrase: str) -> None:
        """So that nobody types twice what opens the vault that was just made."""
        self._secret = {"passphrase": passphrase}

    @contextmanager
    def secret(self, slots: Sequence[str]) -> Iterator[Json]:
        """What opens the vault: as given with the command, or typed; asked once.

        Where the block does not end well it is asked again the next time.
        """
        if self._secret is None:
            given = given_secret(self.passphrase_file, recovery_key=False, recovery_key_file=None)
            self._secret = given if given is not None else asked_secret(slots)
        try:
            yield self._secret
        except Exception:
            self._secret = None  # it may have been the wrong one
            raise

    @contextmanager
    def service(self) -> "Iterator[AdminClient]":
        """The service that runs, or one of the guide's own; with its vault open.

        Raises `SetupServiceDied`, `SetupServiceSlow`, and what opening the vault raises.
        """
        if not serves():
            self._start()
        with administration() as service:
            self._open_vault(service)
            yield service

    def stop_own_service(self) -> None:
        """If it has one: what comes next wants the vault, or another base, for itself."""
        self._running.close()
        self._started = False

    def _start(self) -> None:
        self.stop_own_service()  # one that died
        say("Starting the service ...")
        try:
            DemoService.start(None, None, self._running, self.interrupts)
        except DemoServiceDied as error:
            raise SetupServiceDied from error
        except DemoServiceSlow as error:
            raise SetupServiceSlow from error
        self._started = True

    def _open_vault(self, service: "AdminClient") -> None:
        locked: dict[str, Any] | None = service.status().get("locked")
        if not locked:
            return
        with self.secret([slot["kind"] for slot in locked["slots"]]) as secret:
            service.unlock(secret)


def serves() -> bool:
    """Whether a service answers, its vault open or not."""
    try:
        with administration() as service:
            service.status()
    except NotRunning:
        return False
    return True
