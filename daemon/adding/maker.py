"""The process that turns what was downloaded into a 4-bit base; it has no network.

Started by `maker_handle.py` as `python -m daemon.adding.maker FD`. What it reads is hostile input,
so it denies itself the network and core dumps before it reads any of it. One request at a time:

    check   source            the config alone: a model that we know, and no code
    open    source, folder    shards, sizes, what is done already; nothing is quantised yet
    present                   all shards are there
    take    shard             one shard into the base; says how far it is
    finish  name, ...         what the base is

Each is answered with `done` or `failed`, after any number of `at` with the progress.
"""

import contextlib
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.confinement import confine_engine, network_is_denied
from ipc.errors import LinkError
from ipc.link import BlockingLink, Message

if TYPE_CHECKING:
    from trainer.base_making import BaseInMaking

Json = dict[str, Any]
Progress = Callable[[int, int], None]
REPORT_SECONDS = 0.1


class Maker:
    """Answers requests; holds the base that is being made."""

    def __init__(self) -> None:
        self._making: BaseInMaking | None = None
        self._source = Path()

    def do(self, request: Mapping[str, Any], progress: Progress) -> Json:
        """Raises what `trainer` raises."""
        asked = dict(request)
        return dict(getattr(self, f"_{asked.pop('op')}")(progress, **asked))

    def _check(self, _: Progress, *, source: str) -> Json:
        from trainer.source_files import source_config  # without torch, so it answers at once

        config = source_config(Path(source))
        return {"architecture": config["model_type"], "network_denied": network_is_denied()}

    def _open(self, _: Progress, *, source: str, folder: str) -> Json:
        from trainer.base_making import BaseInMaking

        self._source = Path(source)
        self._making = making = BaseInMaking(self._source, Path(folder))
        return {
            "shards": list(making.shards),
            "waiting": list(making.waiting),
            "size_bytes": making.size_bytes,
            "plain_template": making.plain_template,
        }

    def _present(self, _: Progress) -> Json:
        from trainer.source_files import check_present

        assert self._making is not None
        check_present(self._source, self._making.shards)
        for shard in self._making.shards:
            self._making.check(self._source / shard)
        return {}

    def _take(self, progress: Progress, *, shard: str) -> Json:
        assert self._making is not None
        self._making.take(self._source / shard, progress)
        return {}

    def _finish(self, progress: Progress, **facts: str) -> Json:
        assert self._making is not None
        return asdict(self._making.finish(**facts, progress=progress))


def serve(link: BlockingLink) -> None:
    """Until the command closes the link."""
    maker = Maker()
    while True:
        request = link.receive().header
        link.send(Message(header=_answer(maker, request, _reporting(link))))


def _answer(maker: Maker, request: Mapping[str, Any], progress: Progress) -> Json:
    from trainer.errors import TrainerError

    try:
        return {"event": "done", "answer": maker.do(request, progress)}
    except TrainerError as error:
        return {"event": "failed", "code": type(error).__name__, "sentence": str(error)}
    except LinkError:
        raise
    except Exception as error:  # whatever a stranger's file does to a library
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        sentence = f"The model cannot be made into a base ({where}); please report this line."
        return {"event": "failed", "code": "broken", "sentence": sentence}


def _reporting(link: BlockingLink) -> Progress:
    """Tells the command how far it is, now and then and at the end."""
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == total or now - last >= REPORT_SECONDS:
            last = now
            link.send(Message(header={"event": "at", "done": done, "total": total}))

    return report


def main() -> None:
    sock = socket.socket(fileno=int(sys.argv[1]))
    confine_engine()
    link = BlockingLink(sock)
    with contextlib.suppress(LinkError):  # the command is gone, and with it the reason to run
        serve(link)
    link.close()


if __name__ == "__main__":
    main()
