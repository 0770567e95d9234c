"""Where nightloom keeps its things: one value, resolved from an environment that is passed in.

Knows the names of folders and files and nothing of what stands in them.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

VARIABLE = "NIGHTLOOM_HOME"
PRIVATE = 0o700
RUNTIME_FOLDERS = Path("/run/user")  # logind makes one for each user who is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folders of one nightloom. All of them are the user's alone."""

    config_file: Path
    vault: Path
    bases: Path
    runtime: Path  # sockets and the service's lock; may be gone after a restart of the machine
    root: Path | None = None  # the one folder above all others, with NIGHTLOOM_HOME

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """NIGHTLOOM_HOME if it is set, else the platform's standard folders."""
        named = environ.get(VARIABLE, "")
        if named:
            return cls.under(Path(named).expanduser().absolute())
        import platformdirs  # not needed where a home is named

        data = platformdirs.user_data_path("nightloom", appauthor=False)
        return cls(
            config_file=platformdirs.user_config_path("nightloom", appauthor=False) / "config.toml",
            vault=data / "vault",
            bases=data / "bases",
            runtime=_runtime_folder(environ, data),
        )

    @classmethod
    def under(cls, root: Path) -> Self:
        """Everything below one folder."""
        return cls(
            config_file=root / "config.toml",
            vault=root / "vault",
            bases=root / "bases",
            runtime=root / "run",
            root=root,
        )

    @property
    def api_socket(self) -> Path:
        """In a folder of its own, so that it alone can be given to a sandboxed client."""
        return self.runtime / "api" / "api.sock"

    @property
    def admin_socket(self) -> Path:
        return self.runtime / "admin" / "admin.sock"

    @property
    def bridge_token(self) -> Path:
        """Beside the vault and not with the sockets: programs are told it once."""
        return self.vault.parent / "bridge.token"

    @property
    def lock_file(self) -> Path:
        return self.runtime / "service.lock"

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """What is never collected from: where the vault, the configuration and the sockets are."""
        if self.root is not None:
            return (self.root,)
        return (self.vault.parent, self.config_file.parent, self.runtime)

    def vault_exists(self) -> bool:
        """Whether there is anything where the vault belongs."""
        return self.vault.is_dir() and any(self.vault.iterdir())

    def create_folders(self) -> None:
        """Make what is missing, for the user alone; what is there keeps its mode."""
        folders = (self.config_file.parent, self.vault, self.bases)
        sockets = (self.runtime, self.api_socket.parent, self.admin_socket.parent)
        for folder in (*folders, *sockets):
            _create(folder)


def _create(folder: Path) -> None:
    """Like `mkdir -p -m 700`, where the mode holds for every folder that is made."""
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for one in reversed(missing):
        one.mkdir(mode=PRIVATE, exist_ok=True)


def _runtime_folder(environ: Mapping[str, str], data: Path) -> Path:
    """A folder that only this user can write to; never the shared temporary one."""
    if sys.platform == "darwin":
        return data / "run"
    given = environ.get("XDG_RUNTIME_DIR", "")
    if given:
        return Path(given) / "nightloom"
    usual = RUNTIME_FOLDERS / str(os.geteuid())  # `su` and `sudo` leave the variable out
    is_ours = usual.is_dir() and usual.stat().st_uid == os.geteuid()
    return usual / "nightloom" if is_ours else data / "run"
