"""A process that replaces a document and is killed at a named moment."""

import sys
from pathlib import Path

from storage.keys import Passphrase
from storage.vault import Vault
from tests.storage.crashing import killed_at
from tests.storage.making import PASSPHRASE, written


def main(folder: str, moment: str) -> None:
    secret = Passphrase(text=PASSPHRASE)
    with Vault.open(Path(folder), secret, observe=killed_at(moment, 1)) as vault:
        vault.documents.replace(1, written("Stricter.", "/a.md"))
    print("replaced", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
