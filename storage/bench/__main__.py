"""`python -m storage.bench FOLDER`: JSON on stdout, progress on stderr.

`nightloom bench vault` starts it and shows a table. The folder lies on the disk to be measured;
whoever starts this makes it and takes it away.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from storage.bench.child import end_with
from storage.bench.comparing import compare
from storage.errors import StorageError


def main(words: Sequence[str] | None = None) -> int:
    """0, or 1 with `{"error": sentence}` on stdout."""
    parser = argparse.ArgumentParser(prog="storage.bench")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--end-with", type=int)
    asked = parser.parse_args(words)
    if asked.end_with is not None:
        end_with(asked.end_with)
    try:
        answer = compare(asked.folder, count=asked.documents, rounds=asked.rounds, say=_say)
    except StorageError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    return int("error" in answer)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
