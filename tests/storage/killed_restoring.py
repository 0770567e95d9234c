"""A process that restores a backup and is killed at a named moment (see `test_restoring.py`)."""

import sys
from pathlib import Path

from storage.keys import RecoveryKey
from storage.restoring import restore
from tests.storage.crashing import killed_at


def main(file: str, folder: str, printed: str, moment: str) -> None:
    with Path(file).open("rb") as source:
        restore(source, Path(folder), RecoveryKey.parse(printed), observe=killed_at(moment, 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
