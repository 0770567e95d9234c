"""`nightloom adapters export`: one adapter as a folder that PEFT loads, in clear."""

from pathlib import Path

import click

from daemon.cli import text
from daemon.cli.adapters import adapters
from daemon.cli.asking_secret import asked_secret, given_secret, secret_options
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@adapters.command("export")
@click.argument("adapter", metavar="A")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@secret_options
@json_option
def export(
    adapter: str,
    folder: Path,
    passphrase_file: Path | None,
    recovery_key: bool,
    recovery_key_file: Path | None,
    as_json: bool,
) -> None:
    """Write adapter A into the new folder DIR as PEFT has it, in clear.

    A is a digest or the first characters of one, or `personal` for the one that answers. Asks for
    the passphrase or recovery key again. Ctrl-C leaves nothing behind.
    """
    from daemon.cli.base_progress import stage
    from daemon.cli.peft_folder import write_adapter
    from daemon.cli.private_folder import check_room

    check_room(folder)
    with administration() as service:
        meant = service.adapter(adapter)["sha256"]  # a mistake is said before a secret is typed
        secret = given_secret(passphrase_file, recovery_key, recovery_key_file)
        if secret is None:
            secret = asked_secret([one["kind"] for one in service.slots()])
        lines = service.export_adapter(meant, secret, str(folder.absolute()))
        with stage("exporting", "bytes") as report:
            done = write_adapter(lines, folder, report)
    show(done, as_json, _exported_text)


def _exported_text(done: Json) -> str:
    return "\n\n".join(
        [
            f"Adapter {text.short(done['sha256'])} is written to {text.value(done['folder'])}, "
            f"{text.size(done['bytes'])}. Its README.md says how to load it.",
            "It is in clear and holds private text: whoever has it can have it say what it "
            "learned. nightloom's locks, and forgetting, do not reach it. Keep it on a sealed "
            "disk, and delete it when you are done.",
        ]
    )
