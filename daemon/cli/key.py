"""`nightloom key ...`: what opens the vault, and new keys below it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from daemon.cli import text
from daemon.cli.asking_secret import asked_secret, given_secret, secret_options
from daemon.cli.errors import NobodyToAsk, NotConfirmed, RotationLost
from daemon.cli.output import Json, json_option, say, show, show_line
from daemon.cli.passphrase import new_passphrase
from daemon.cli.reaching import administration

KINDS = ("keyring", "systemd-creds", "passphrase", "recovery")
NAMES = {"recovery": "recovery key"}


@click.group()
def key() -> None:
    """The slots that open the vault, and the rotation of the keys below them."""


@key.command("list")
@json_option
def list_slots(as_json: bool) -> None:
    """List the slots: whether each opens at night with nobody there, and whom it stops."""
    with administration() as service:
        show(service.slots(), as_json, _slots_text)


@key.command()
@click.argument("slot", type=click.Choice(KINDS))
@secret_options
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the passphrase of the new slot from this private file instead of asking.",
)
def add(
    slot: str,
    passphrase_file: Path | None,
    recovery_key: bool,
    recovery_key_file: Path | None,
    new_passphrase_file: Path | None,
) -> None:
    """Add a slot; asks again for the present passphrase or recovery key.

    A new recovery key is shown once.
    """
    with administration() as service:
        secret = given_secret(passphrase_file, recovery_key, recovery_key_file)
        if secret is None:
            secret = asked_secret([one["kind"] for one in service.slots()])
        new = new_passphrase(new_passphrase_file) if slot == "passphrase" else None
        answer = service.add_slot(slot, secret, new)
    say(added_text(answer))


@key.command()
@click.argument("slot", metavar="SLOT")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
def remove(slot: str, yes: bool, as_json: bool) -> None:
    """Remove a slot; the last one stays.

    Until `nightloom key rotate`, an old copy of the vault's slots.json still opens by it.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise NobodyToAsk
        if not click.confirm(f"Shall the {_name(slot)} slot open the vault no more?", err=True):
            raise NotConfirmed
    with administration() as service:
        show(service.remove_slot(slot), as_json, _removed_text)


@key.command()
@json_option
def rotate(as_json: bool) -> None:
    """Make new root and epoch keys and destroy the old ones; all slots stay as they are.

    Needs no passphrase. Interrupting this leaves the rotation at work.
    """
    with administration() as service:
        done = _followed(service.rotate(), as_json)
    if as_json:
        show_line({"rotated": done})
    else:
        say(_rotated_text(done))


def _followed(lines: Iterator[Json], as_json: bool) -> Json:
    """Shows the progress; what was done."""
    done: Json | None = None
    for line in lines:
        if "rotated" in line:
            done = line["rotated"]
        elif as_json:
            show_line(line)
        elif sys.stderr.isatty() and line["of"]:
            click.echo(f"\r{line['done'] / line['of']:4.0%} ", err=True, nl=False)
    if sys.stderr.isatty() and not as_json:
        click.echo("\r", err=True, nl=False)
    if done is None:
        raise RotationLost
    return done


# --------------------------------------------------------------------------- as text


def _name(kind: str) -> str:
    return NAMES.get(kind, text.printable(kind))


def _slots_text(answer: list[Json]) -> str:
    shown = [
        "\n".join(
            [
                f"{_name(slot['kind'])}: "
                + ("opens by itself" if slot["unattended"] else "opens when you give it"),
                f"  stops          {text.value(slot['stops'])}",
                f"  does not stop  {text.value(slot['does_not_stop'])}",
            ]
        )
        for slot in answer
    ]
    if not any(slot["unattended"] for slot in answer):
        shown.append(
            "No slot opens by itself, so after each start of the service nights wait for "
            "`nightloom unlock`."
        )
    warnings = {slot["warning"] for slot in answer if slot.get("warning")}
    return "\n\n".join([*shown, *(text.value(warning) for warning in sorted(warnings))])


def added_text(answer: Json) -> str:
    """That a slot was added; of a recovery key, the key."""
    if answer.get("recovery_key"):
        return (
            "This is the vault's recovery key. It is shown only now: write it down and keep it "
            f"away from\nthis machine.\n\n    {answer['recovery_key']}"
        )
    return f"The {_name(answer['kind'])} slot opens the vault from now on."


def _removed_text(answer: Json) -> str:
    left = ", ".join(_name(kind) for kind in answer["left"])
    gone = f"The {_name(answer['kind'])} slot is gone; left: {left}."
    return f"{gone}\n{text.value(answer['advice'])}"


def _rotated_text(done: Json) -> str:
    keys = text.plural(done["data_keys"], "data key")
    lines = [
        f"The keys are new (root {done['root']}, epoch {done['epoch']}): {keys} wrapped anew in "
        f"{text.duration(done['seconds'])}."
    ]
    if done.get("damaged"):
        lines.append(
            f"{text.plural(done['damaged'], 'data key')} did not open before either; "
            "`nightloom privacy audit` names what is damaged."
        )
    return "\n".join(lines)
