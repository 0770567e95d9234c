"""One side of a comparison as a process: answers requests until nobody asks any more.

Requests and answers are lines of JSON on stdin and stdout. Only the standard library is used, so
that another interpreter can be a side too. A side ends with the process that asks it.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

Json = dict[str, Any]
Operations = Mapping[str, Callable[..., Any]]
"""What a side can be asked, by name."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(parent: int) -> None:
    """Be killed when the parent is gone, on Linux; a long measurement would else go on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)


def own_stdout() -> TextIO:
    """What was stdout, for answers alone; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def serve(operations: Operations, answers: TextIO) -> None:
    """Until stdin ends. A request is `{"do": name, ...arguments}`."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"answer": operations[asked.pop("do")](**asked)}
        except Exception as error:
            answer = {"failed": _where(error)}
        print(json.dumps(answer), file=answers, flush=True)


def _where(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
