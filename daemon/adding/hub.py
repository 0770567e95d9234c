"""The hub: the one module of nightloom that uses the network, in the command's own process.

Files come over plain HTTP with `huggingface_hub`, which follows HF_ENDPOINT and the proxies that
are set; each is compared with the digest that the hub gives for it before it counts. What is sent
is the model's id, the names of its files, and HF_TOKEN if that is set; a token that was saved by
another program is not used, and nothing is told about this machine. Never used together with
`trainer`, which forbids its process the network.
"""

import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from daemon.adding.errors import (
    DownloadCorrupted,
    DownloadCutOff,
    HubAddressInvalid,
    HubError,
    HubOffline,
    HubRefused,
    HubUnreachable,
    RepositoryClosed,
    RepositoryUnknown,
    RevisionUnknown,
)
from daemon.adding.names import COMMIT
from daemon.adding.wanted import HubFile

SETTINGS = {  # read by huggingface_hub once, at its import
    "HF_HUB_DISABLE_TELEMETRY": "1",  # else it tells its versions, and asks who started it
    "HF_HUB_DISABLE_XET": "1",  # that protocol keeps a cache elsewhere and cannot resume a file
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # we have our own
    "HF_HUB_VERBOSITY": "error",
}
CHUNK_BYTES = 1 << 20  # the library's ten are lost when a slow download is cut off
ANSWER_SECONDS = 15.0
PART = ".part"
CARD = ("license", "license_name", "license_link")

Report = Callable[[int, int], None]  # bytes that are there, bytes in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A model at one commit."""

    commit: str
    files: tuple[HubFile, ...]
    card: Mapping[str, Any]  # the settings of its model card, as they came


class Hub:
    """Asks the hub, on behalf of one command."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Raises HubAddressInvalid."""
        if "trainer" in sys.modules:
            raise RuntimeError("the network and the trainer do not go into one process")
        address = urlsplit(environ.get("HF_ENDPOINT") or "https://huggingface.co")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise HubAddressInvalid
        environ.update(SETTINGS)
        self.host = address.hostname
        self.token: str | bool = environ.get("HF_TOKEN", "").strip() or False
        from huggingface_hub import constants

        constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES

    def look(self, repository: str, revision: str) -> Found:
        """What the model has at a revision; one question.

        Raises:
            HubError
        """
        from huggingface_hub import HfApi

        with self._said(repository, revision):
            try:
                info = HfApi(token=self.token).model_info(
                    repository, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS
                )
            except (ValueError, KeyError, TypeError, AttributeError):
                raise HubRefused("what no hub says") from None
        if not COMMIT.fullmatch(str(info.sha)):
            raise HubRefused("no commit")
        files = tuple(
            HubFile(
                name=file.rfilename,
                size=file.size,
                sha256=file.lfs.sha256 if file.lfs else None,
                git_sha1=file.blob_id,
            )
            for file in info.siblings or ()
            if isinstance(file.size, int)
        )
        card = {key: info.card_data.get(key) for key in CARD} if info.card_data else {}
        return Found(commit=str(info.sha), files=files, card=card)

    def fetch(
        self, repository: str, commit: str, file: HubFile, folder: Path, report: Report
    ) -> Path:
        """A file, whole and verified; goes on where an earlier download of it stopped.

        Raises:
            HubError, OSError
        """
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get

        place = folder / file.name
        if place.exists():  # it was verified before it got its name
            return place
        part = partial(folder, file)
        with part.open("ab") as writing:
            here = writing.tell()
            if here > file.size:
                writing.truncate(here := 0)
            with self._said(repository, commit, file.name):
                http_get(
                    hf_hub_url(repository, file.name, revision=commit),
                    writing,
                    resume_size=here,
                    headers=self._headers(),
                    expected_size=file.size,
                    tqdm_class=functools.partial(_Bar, report, file.size),  # type: ignore[arg-type]
                )
            writing.flush()
            os.fsync(writing.fileno())
        if not is_intact(part, file):
            part.unlink()
            raise DownloadCorrupted(file.name)
        return part.rename(place)

    def _headers(self) -> dict[str, str]:
        """A compressed answer could not be gone on with in the middle."""
        plain = {"user-agent": "nightloom", "accept-encoding": "identity"}
        return plain | ({"authorization": f"Bearer {self.token}"} if self.token else {})

    @contextmanager
    def _said(self, repository: str, revision: str, file: str | None = None) -> Iterator[None]:
        """The library's errors in our words; theirs hold addresses and ids of requests."""
        import httpx2
        from huggingface_hub import errors

        cut_off = DownloadCutOff(file) if file is not None else HubUnreachable(self.host)
        try:
            yield
        except errors.OfflineModeIsEnabled:
            raise HubOffline from None
        except errors.GatedRepoError:
            raise RepositoryClosed(repository) from None
        except errors.RepositoryNotFoundError:
            raise RepositoryUnknown(repository) from None
        except errors.RevisionNotFoundError:
            raise RevisionUnknown(repository, revision) from None
        except errors.HfHubHTTPError as error:
            raise _refusal(error.response.status_code, repository) from None
        except httpx2.HTTPError:
            raise cut_off from None
        except OSError as error:
            if error.errno is not None:  # our own disk
                raise
            raise cut_off from None  # fewer bytes than were announced


class _Bar:
    """What the library takes for a progress bar."""

    def __init__(self, report: Report, size: int, *, initial: int = 0, **_: object) -> None:
        self._report = report
        self._size = size
        self._done = initial
        report(initial, size)

    def update(self, count: float | None = 1) -> None:
        self._done += int(count or 0)
        self._report(self._done, self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


def partial(folder: Path, file: HubFile) -> Path:
    """Where a file is while it is not whole."""
    return folder / (file.name + PART)


def is_intact(path: Path, file: HubFile) -> bool:
    """Whether the bytes are those that the hub speaks of. Large files have a SHA-256, the others
    git's SHA-1 over a header and the bytes (git-hash-object(1)).
    """
    if path.stat().st_size != file.size:
        return False
    digest = hashlib.sha256()
    if file.sha256 is None:
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with path.open("rb") as reading:
        while chunk := reading.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest() == (file.sha256 or file.git_sha1)


def _refusal(status: int, repository: str) -> HubError:
    if status in (401, 403):
        return RepositoryClosed(repository)
    if status == 404:
        return RepositoryUnknown(repository)
    return HubRefused(f"HTTP {status}")
