# ruff: noqa: N818 - `NotOurs` says what happened; `NotOursError` says it twice
"""What can go wrong while nightloom becomes a service; the commands say it in their own words.

InstallError
├── NotOurs
└── ManagerRefused
"""

from pathlib import Path


class InstallError(Exception):
    """nightloom could not become a service."""


class NotOurs(InstallError):
    """A file of this name is there, and nightloom did not make it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class ManagerRefused(InstallError):
    """systemd or launchd did not do what it was asked to."""
