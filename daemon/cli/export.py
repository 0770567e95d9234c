"""`nightloom privacy export`: everything that is kept, as files in clear."""

from pathlib import Path

import click

from daemon.cli import text
from daemon.cli.asking_secret import asked_secret, given_secret, secret_options
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@secret_options
@json_option
def export(
    folder: Path,
    passphrase_file: Path | None,
    recovery_key: bool,
    recovery_key_file: Path | None,
    as_json: bool,
) -> None:
    """Write documents, adapters and the log into the new folder DIR, in clear.

    Asks for the passphrase or recovery key again. Ctrl-C leaves nothing behind.
    """
    from daemon.cli.export_folder import write_export
    from daemon.cli.private_folder import check_room

    check_room(folder)
    with administration() as service:
        secret = given_secret(passphrase_file, recovery_key, recovery_key_file)
        if secret is None:
            secret = asked_secret([one["kind"] for one in service.slots()])
        done = write_export(service.export(secret, str(folder.absolute())), folder)
    show(done, as_json, _export_text)


def _export_text(done: Json) -> str:
    counts = [
        text.plural(done[noun + "s"], noun) for noun in ("document", "adapter", "night", "event")
    ]
    written = f"{', '.join(counts[:-1])} and {counts[-1]}"
    lines = [
        f"{written} are written to {text.value(done['folder'])}.",
        "These files are in clear: whoever can read them reads your text, and an adapter tells "
        "what it learned. nightloom's locks, and forgetting, do not reach them. Keep them on a "
        "sealed disk, and delete them when you are done.",
    ]
    if done["left_out"]:
        lines.append(
            f"{text.count(done['left_out'])} could not be opened and were left out; "
            "`nightloom privacy audit` names them."
        )
    return "\n\n".join(lines)
