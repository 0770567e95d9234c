"""A hub on this machine: the part of its protocol that a download uses, over real HTTP.

    GET /api/models/OWNER/NAME/revision/REV?blobs=True     commit, files with digests, model card
    GET /OWNER/NAME/resolve/COMMIT/FILE                    a small file, or a redirect to storage
    GET /storage/SHA256                                    a large file, on another host; Range

Large files are those that a hub keeps in LFS, here all safetensors. What a test wants to go wrong
is written into `Trouble`.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
LARGE = (".safetensors", ".bin", ".pt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    path: str
    range: str | None
    authorization: str | None
    host: str


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What goes wrong with one file."""

    status: int | None = None  # instead of the file
    served: bytes | None = None  # other bytes than the announced digest's
    cut_after: int | None = None  # bytes, then the connection is closed
    then_status: int | None = None  # after the cut
    held: threading.Event | None = None  # waited for after `cut_after` bytes


@dataclass(slots=True, kw_only=True)
class Repository:
    """A model as the hub has it."""

    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0"})
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    gated: bool = False
    digests: bool = True

    @classmethod
    def of(cls, folder: Path) -> "Repository":
        return cls(files={one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()})


class FakeHub:
    """The hub; everything that was asked stands in `asked`."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.trouble: dict[str, Trouble] = {}
        self.asked: list[Asked] = []
        self.before: Callable[[str], None] = lambda name: None  # told of every large file
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ranges(self, name: str) -> list[str | None]:
        """The Range of each request for a large file's bytes."""
        digest = next(
            hashlib.sha256(one.files[name]).hexdigest()
            for one in self.repositories.values()
            if name in one.files
        )
        return [asked.range for asked in self.asked if asked.path == f"/storage/{name}/{digest}"]

    def names_asked(self) -> list[str]:
        """Files that were asked for, in order."""
        return [one.path.rpartition("/")[2] for one in self.asked if "/resolve/" in one.path]


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(_Handler):
        fake = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="fake hub")
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.fake.asked.append(
            Asked(
                path=path,
                range=self.headers["Range"],
                authorization=self.headers["Authorization"],
                host=self.headers["Host"].partition(":")[0],
            )
        )
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[4:5] == ["revision"]:
            self._info("/".join(parts[2:4]), "/".join(parts[5:]))
        elif parts[2:3] == ["resolve"]:
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        elif parts[0] == "storage":
            self._storage(parts[1], parts[2])
        else:
            self._refuse(404)

    def log_message(self, *_: object) -> None:
        return

    def _info(self, name: str, revision: str) -> None:
        repository = self.fake.repositories.get(name)
        if repository is None:
            return self._refuse(401, "RepoNotFound")
        commit = repository.branches.get(revision, revision)
        if commit not in repository.branches.values():
            return self._refuse(404, "RevisionNotFound")
        siblings = [_sibling(*one, repository.digests) for one in repository.files.items()]
        body = {"id": name, "sha": commit, "cardData": repository.card, "siblings": siblings}
        return self._answer(json.dumps(body).encode())

    def _resolve(self, repository: str, commit: str, name: str) -> None:
        known = self.fake.repositories[repository]
        trouble = self.fake.trouble.get(name, Trouble())
        if known.gated:
            return self._refuse(403, "GatedRepo")
        if commit not in known.branches.values() or name not in known.files:
            return self._refuse(404, "EntryNotFound")
        if trouble.status is not None:
            return self._refuse(trouble.status)
        if not name.endswith(LARGE):
            content = known.files[name] if trouble.served is None else trouble.served
            return self._answer(content, {"ETag": f'"{_git_sha1(known.files[name])}"'})
        digest = hashlib.sha256(known.files[name]).hexdigest()
        self.send_response(302)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("X-Linked-Etag", f'"{digest}"')
        self.send_header("X-Linked-Size", str(len(known.files[name])))
        self.send_header("X-Xet-Hash", digest)  # there is another way, which is not taken
        self.send_header("Location", f"http://localhost:{self.fake.port}/storage/{name}/{digest}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _storage(self, name: str, digest: str) -> None:
        self.fake.before(name)
        content = next(
            one.files[name] for one in self.fake.repositories.values() if name in one.files
        )
        trouble = self.fake.trouble.get(name, Trouble())
        content = content if trouble.served is None else trouble.served
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if self.headers["Range"] else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if trouble.cut_after is None:
            self.wfile.write(content[start:])
            return
        self.wfile.write(content[start : start + trouble.cut_after])
        self.wfile.flush()
        if trouble.held is not None:
            trouble.held.wait()
        trouble.cut_after, trouble.status = None, trouble.then_status
        self.close_connection = True

    def _answer(self, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(200)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str | None = None) -> None:
        self.send_response(status)
        if code is not None:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _sibling(name: str, content: bytes, digests: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": name, "size": len(content)}
    if digests:
        entry["blobId"] = _git_sha1(content)
        if name.endswith(LARGE):
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return entry


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
