"""The one table from errors to exit codes, with what to do next where the error does not say it.

Knows the error trees of all folders (they import nothing heavy) and nothing of the commands.
"""

import traceback
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from daemon import errors as service
from daemon.adding import errors as adding
from daemon.cli import errors as command
from ipc import errors as ipc
from storage import errors as storage


class ExitCode(IntEnum):
    """What a script can tell from `$?`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    LOCKED = 3
    NOT_RUNNING = 4
    REFUSED = 5  # by policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of error, what its exit code is, and what the user can do."""

    error: type[Exception]
    code: ExitCode
    next_step: str = ""


# The first row that fits counts, so the special stands before the general.
TABLE = (
    Row(error=command.PassphraseFileMissing, code=ExitCode.USAGE),
    Row(error=command.PassphraseFileTooOpen, code=ExitCode.REFUSED),
    Row(error=command.PassphraseEmpty, code=ExitCode.USAGE),
    Row(error=command.PassphraseNotGiven, code=ExitCode.USAGE),
    Row(error=command.RecoveryKeyFileUnreadable, code=ExitCode.USAGE),
    Row(error=command.RecoveryKeyFileTooOpen, code=ExitCode.REFUSED),
    Row(error=command.RecoveryKeyNotGiven, code=ExitCode.USAGE),
    Row(error=command.BackupFileExists, code=ExitCode.REFUSED),
    Row(error=command.ExportFolderTaken, code=ExitCode.REFUSED),
    Row(error=command.NightOnlyNow, code=ExitCode.USAGE),
    Row(error=command.NoSuchNight, code=ExitCode.USAGE),
    Row(error=command.NobodyToAsk, code=ExitCode.USAGE),
    Row(error=command.AskedInAPipe, code=ExitCode.USAGE),
    Row(error=command.NothingToForgetNamed, code=ExitCode.USAGE),
    Row(error=command.TextNotGiven, code=ExitCode.USAGE),
    Row(error=command.DemoFolderTaken, code=ExitCode.REFUSED),
    Row(error=command.ServiceInForeground, code=ExitCode.REFUSED),
    Row(error=command.FileInTheWay, code=ExitCode.REFUSED),
    Row(error=command.HomeNotKnown, code=ExitCode.REFUSED),
    Row(error=command.SetupNeedsTerminal, code=ExitCode.USAGE),
    Row(error=command.CommandError, code=ExitCode.FAILED),
    Row(error=ipc.NotRunning, code=ExitCode.NOT_RUNNING),
    Row(error=ipc.AnswerCutShort, code=ExitCode.NOT_RUNNING),
    Row(error=ipc.ServiceAlreadyRunning, code=ExitCode.REFUSED),
    Row(error=ipc.UnsafeSocketFolder, code=ExitCode.REFUSED),
    Row(error=ipc.BridgeTokenUnsafe, code=ExitCode.REFUSED),
    Row(error=ipc.BridgeNotLoopback, code=ExitCode.REFUSED),
    Row(error=ipc.VaultLocked, code=ExitCode.LOCKED),
    Row(
        error=ipc.UnknownModel,
        code=ExitCode.FAILED,
        next_step="`nightloom adapters list` shows them too.",
    ),
    Row(error=ipc.IpcError, code=ExitCode.FAILED),
    Row(
        error=storage.VaultExists,
        code=ExitCode.REFUSED,
        next_step="Start it with `nightloom run`, or set another NIGHTLOOM_HOME.",
    ),
    Row(
        error=storage.EmptyPassphrase,
        code=ExitCode.USAGE,
        next_step="Choose one of several words that nobody else knows.",
    ),
    Row(error=storage.KeeperUnavailable, code=ExitCode.FAILED),
    Row(error=storage.SlotExists, code=ExitCode.REFUSED),
    Row(error=storage.LastSlot, code=ExitCode.REFUSED),
    Row(
        error=storage.SecretRefused,
        code=ExitCode.LOCKED,
        next_step="Run the command again with the right one.",
    ),
    Row(error=storage.RolledBack, code=ExitCode.REFUSED),
    Row(error=storage.StorageError, code=ExitCode.FAILED),
    Row(error=service.ConfigError, code=ExitCode.USAGE),
    Row(error=service.TooManyAttempts, code=ExitCode.REFUSED),
    Row(error=service.AttemptTooSoon, code=ExitCode.REFUSED),
    Row(error=service.LockError, code=ExitCode.LOCKED),
    Row(error=service.SourceIsVault, code=ExitCode.REFUSED),
    Row(error=service.SourceInsideSource, code=ExitCode.REFUSED),
    Row(error=service.BaseBuiltIn, code=ExitCode.REFUSED),
    Row(error=service.BaseInUse, code=ExitCode.REFUSED),
    Row(error=adding.NameInvalid, code=ExitCode.USAGE),
    Row(error=adding.NameNeeded, code=ExitCode.USAGE),
    Row(error=adding.SourceInvalid, code=ExitCode.USAGE),
    Row(error=adding.FolderMissing, code=ExitCode.USAGE),
    Row(error=adding.NotAFolder, code=ExitCode.USAGE),
    Row(error=adding.HubAddressInvalid, code=ExitCode.USAGE),
    Row(error=adding.NameTaken, code=ExitCode.REFUSED),
    Row(error=adding.AlreadyAdding, code=ExitCode.REFUSED),
    Row(error=adding.OtherUnfinished, code=ExitCode.REFUSED),
    Row(error=adding.LicenceNotAccepted, code=ExitCode.REFUSED),
    Row(error=adding.LicenceDiffers, code=ExitCode.REFUSED),
    Row(error=adding.BaseRefused, code=ExitCode.REFUSED),
    Row(error=adding.OnlyPickles, code=ExitCode.REFUSED),
    Row(error=service.DaemonError, code=ExitCode.FAILED),
)
OPERATIONS = {
    "failed": ExitCode.FAILED,
    "usage": ExitCode.USAGE,
    "locked": ExitCode.LOCKED,
    "not_running": ExitCode.NOT_RUNNING,
    "refused": ExitCode.REFUSED,
}


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for an error; a defect of ours is a failure like any other."""
    if isinstance(error, ipc.OperationError):
        return OPERATIONS.get(error.code, ExitCode.FAILED)
    row = _row(error)
    return ExitCode.FAILED if row is None else row.code


def is_known(error: BaseException) -> bool:
    """Whether its sentence says what is wrong; anything else is a defect of ours."""
    return _row(error) is not None or (isinstance(error, OSError) and bool(error.strerror))


def sentence(error: BaseException) -> str:
    """What the user reads: what is wrong and what to do next, never a user's text."""
    row = _row(error)
    if row is not None:
        return f"{error} {row.next_step}".strip()
    if isinstance(error, OSError) and error.strerror:
        return f"The system refused: {error.strerror}. Free or allow what is missing and try again."
    return (
        f"Something is wrong inside nightloom ({type(error).__name__} at {_place(error)}); "
        "please report this line."
    )


def _row(error: BaseException) -> Row | None:
    return next((row for row in TABLE if isinstance(error, row.error)), None)


def _place(error: BaseException) -> str:
    """Where an unexpected error arose; the message itself could hold text and is not shown."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
