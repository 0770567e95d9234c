"""What a base may be called, and what a user means by PATH_OR_HUB_ID."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from daemon.adding.errors import (
    FolderMissing,
    NameInvalid,
    NameNeeded,
    NotAFolder,
    SourceInvalid,
)

BUILTIN = "builtin"  # the base that is shipped; its name is taken for good
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
# https://huggingface.co/docs/huggingface_hub, `validate_repo_id`: 96 characters in all
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
LONGEST_REPOSITORY = 96
REVISION = re.compile(r"[\w][\w./-]{0,199}", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFolder:
    """A folder on this machine with a full-precision model."""

    path: Path

    @property
    def label(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class FromHub:
    """A repository on the hub."""

    repository: str  # OWNER/NAME

    @property
    def label(self) -> str:
        return self.repository.rpartition("/")[2]


def read_source(text: str) -> FromFolder | FromHub:
    """A folder if there is one, else a hub's id.

    Raises:
        FolderMissing, NotAFolder, SourceInvalid
    """
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - Path's own raises for unknown users
    if text and path.is_dir():
        return FromFolder(path=path.resolve())
    if text and path.exists():
        raise NotAFolder
    if text.startswith(("/", ".", "~")) or text.count("/") > 1 or text.endswith("/"):
        raise FolderMissing
    if not REPOSITORY.fullmatch(text) or len(text) > LONGEST_REPOSITORY:
        raise SourceInvalid
    return FromHub(repository=text)


def base_name(given: str | None, label: str) -> str:
    """The name that was given, or one made of the source's.

    Raises:
        NameInvalid, NameNeeded
    """
    if given is not None:
        if not is_name(given):
            raise NameInvalid
        return given
    made = re.sub(r"[^a-z0-9._-]+", "-", label.lower()).strip("-._")[:64]
    if not is_name(made):
        raise NameNeeded
    return made


def is_name(text: str) -> bool:
    """Whether a base can be called so."""
    reserved = text.lower() == BUILTIN or text.endswith(".partial")
    return NAME.fullmatch(text) is not None and not reserved


def is_revision(text: str) -> bool:
    """Whether a branch, a tag or a commit can be called so."""
    return REVISION.fullmatch(text) is not None and ".." not in text
