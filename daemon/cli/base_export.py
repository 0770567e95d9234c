"""`nightloom base export`: a base as a folder of its own, which transformers loads.

A base's folder is in the form that transformers and bitsandbytes write, so it is copied as it is;
the copy is read once more and compared with what was recorded. Needs no service.
"""

from pathlib import Path

import click

from daemon.cli import text
from daemon.cli.base_changes import found
from daemon.cli.errors import BaseNotExported
from daemon.cli.output import Json, json_option, show


@click.command()
@click.argument("name")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def export(name: str, folder: Path, as_json: bool) -> None:
    """Write base NAME into the new folder DIR, which plain transformers and bitsandbytes load.

    What adapters were trained on, number by number; it holds nothing of yours. The licence of the
    model goes with it.
    """
    from daemon.cli.base_copying import copied
    from daemon.cli.base_progress import stage
    from daemon.cli.private_folder import check_room
    from trainer.errors import BaseError

    base = found(name)
    if base.facts is None:
        raise BaseNotExported(base.problem or "")
    check_room(folder)
    try:
        with stage("copying and comparing", "bytes") as report:
            size = copied(base.folder, base.facts, folder, report)
    except BaseError as error:
        raise BaseNotExported(str(error)) from None
    answer = {
        "name": base.name,
        "identity": base.facts.identity,
        "origin": base.facts.origin,
        "folder": str(folder.absolute()),
        "bytes": size,
    }
    show(answer, as_json, _exported_text)


def _exported_text(answer: Json) -> str:
    folder = text.value(answer["folder"])
    return (
        f"Base {text.value(answer['name'])} is written to {folder}, {text.size(answer['bytes'])}; "
        "every byte is the one that was recorded when it was made. Give its path to "
        "`AutoModelForCausalLM.from_pretrained`."
    )
