"""A base's files to another folder, and whether they came through whole."""

from collections.abc import Callable
from pathlib import Path

from daemon.cli.private_folder import private_folder
from trainer.base_format import FACTS_FILE, WEIGHTS_FILE, BaseFacts
from trainer.base_identity import verify
from trainer.errors import BaseDamaged, BaseMissing

CHUNK_BYTES = 4 * 1024 * 1024

Report = Callable[[int, int], None]


def copied(source: Path, facts: BaseFacts, folder: Path, report: Report) -> int:
    """Copies what the base is made of and nothing else; the bytes that were written.

    Nothing stays there if it fails.

    Args:
        report: is told of bytes that are copied, and then read again, and of all.

    Raises:
        ExportFolderTaken, OSError
        BaseDamaged, BaseMissing: the base is not what was recorded.
    """
    names = sorted({FACTS_FILE, WEIGHTS_FILE, *facts.files})
    if any(name != Path(name).name for name in names):
        raise BaseDamaged(FACTS_FILE, "files is missing or malformed")
    for name in names:
        if not (source / name).is_file():
            raise BaseMissing(name)
    total = sum((source / name).stat().st_size for name in names)
    again = (source / WEIGHTS_FILE).stat().st_size
    done = 0
    report(done, total + again)
    with private_folder(folder) as draft:
        for name in names:
            with (source / name).open("rb") as old, (draft / name).open("xb") as new:
                while piece := old.read(CHUNK_BYTES):
                    new.write(piece)
                    done += len(piece)
                    report(min(done, total), total + again)
        verify(draft, lambda read: report(total + min(read, again), total + again))
        report(total + again, total + again)
    return done
