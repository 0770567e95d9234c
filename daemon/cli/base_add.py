"""`nightloom base add`: a base from a folder or from the hub; the one verb that uses the network.

Nothing of `trainer` is imported here, because it forbids the network to its process. What is said
goes to stderr, the result to stdout.
"""

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import home

if TYPE_CHECKING:
    from daemon.adding.addition import Progress
    from daemon.adding.licence import Licence

RESULT = ("identity", "parameters", "context_tokens", "weights_bytes", "licence", "description",
          "origin", "warnings")  # fmt: skip


@click.command()
@click.argument("source", metavar="PATH_OR_HUB_ID")
@click.option("--name", metavar="N", help="What the base is called here; made of its own name.")
@click.option(
    "--revision", metavar="R", help="Branch, tag or commit on the hub; its main branch by default."
)
@click.option(
    "--accept-licence", metavar="L", help="Accept this licence, as in apache-2.0; 'none' for none."
)
@click.option("--yes", is_flag=True, help="Accept whatever licence the model has.")
@json_option
def add(
    source: str,
    name: str | None,
    revision: str | None,
    accept_licence: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a 4-bit base of a model in a folder or on the hub.

    An id such as Qwen/Qwen2.5-1.5B-Instruct is downloaded from huggingface.co, or from HF_ENDPOINT;
    HF_TOKEN is sent if it is set. A download that was cut off goes on when the command is run
    again. Only safetensors are read, and no code that comes with a model is run.
    """
    from daemon.adding.addition import add_from_folder, add_from_hub
    from daemon.adding.errors import RevisionUnknown
    from daemon.adding.names import FromHub, base_name, is_revision, read_source

    given = read_source(source)
    called = base_name(name, given.label)
    at = home()
    at.create_folders()
    watcher = Talk(accepted=accept_licence, yes=yes)
    if isinstance(given, FromHub):
        from daemon.adding.hub import Hub

        if revision is not None and not is_revision(revision):
            raise RevisionUnknown(given.repository, "of that name")
        hub = Hub(os.environ)
        watcher.say(
            f"This command now asks {hub.host} for {given.repository} over the network"
            f"{', with your HF_TOKEN' if hub.token else ''}; nothing of your texts is sent."
        )
        facts = add_from_hub(at.bases, called, given, revision, hub, watcher)
    else:
        if revision is not None:
            raise click.UsageError("--revision is for models on the hub, and this is a folder")
        facts = add_from_folder(at.bases, called, given, watcher)
    answer = {"name": called, "model": facts["name"]} | {key: facts[key] for key in RESULT}
    show(answer, as_json, _added_text)


class Talk:
    """The `Watcher` of a person at a terminal, or of a script."""

    def __init__(self, *, accepted: str | None, yes: bool) -> None:
        self._accepted = accepted
        self._yes = yes

    def say(self, line: str) -> None:
        click.echo(text.printable(line), err=True)

    def accept(self, licence: "Licence") -> None:
        from daemon.adding.errors import LicenceDiffers, LicenceNotAccepted

        self.say(_licence_text(licence))
        if self._accepted is not None:
            if not licence.accepted_by(self._accepted):
                raise LicenceDiffers(licence.word)
            return
        if self._yes:
            return
        if not sys.stdin.isatty() or not click.confirm("Do you accept it?", err=True):
            raise LicenceNotAccepted(licence.word, licence.word)

    def stage(self, words: str, unit: str) -> "AbstractContextManager[Progress]":
        from daemon.cli.base_progress import stage

        return stage(words, unit)


def _licence_text(licence: "Licence") -> str:
    if licence.name is None and licence.title is None:
        return "The model states no licence; what you may do with it is not known."
    said = f"The model's licence is {licence.name}" if licence.name else "The model has a licence"
    said += f", whose text begins '{licence.title}'" if licence.title else ""
    return said + (f" ({licence.link})" if licence.link else "") + "."


def _added_text(answer: Json) -> str:
    name = text.value(answer["name"])
    return (
        f"Base {name} is added: {text.count(answer['parameters'])} parameters, "
        f"{text.size(answer['weights_bytes'])}, identity {text.short(answer['identity'])}.\n"
        f"`nightloom base use {name}` puts it to use."
    )
