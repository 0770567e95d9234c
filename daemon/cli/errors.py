# ruff: noqa: N818 - `PassphraseEmpty` says what happened; `PassphraseEmptyError` says it twice
"""What can go wrong in the command itself, before or after the service is asked.

The docstring of each class is the sentence the user reads; none of them holds the user's text.

    CommandError
    ├── PassphraseFileMissing
    ├── PassphraseFileUnreadable
    ├── PassphraseFileTooOpen
    ├── PassphraseEmpty
    ├── PassphrasesDiffer
    ├── PassphraseNotGiven
    ├── NothingKeepsKeys
    ├── RecoveryKeyFileUnreadable
    ├── RecoveryKeyFileTooOpen
    ├── RecoveryKeyNotGiven
    ├── BackupFileExists
    ├── AuditLost
    ├── ExportFolderTaken
    ├── ExportBroken
    ├── BaseNotExported
    ├── NightOnlyNow
    ├── NightLost
    ├── NoSuchNight
    ├── RotationLost
    ├── NobodyToAsk
    ├── AskedInAPipe
    ├── NothingToForgetNamed
    ├── TextNotGiven
    ├── NotConfirmed
    ├── NoServiceManager
    ├── ServiceInForeground
    ├── ServiceNotStarted
    ├── ServiceNotStopped
    ├── HomeNotKnown
    ├── FileInTheWay
    ├── BenchFailed
    ├── BenchDied
    ├── SetupError
    │   ├── SetupNeedsTerminal
    │   ├── SetupServiceDied
    │   ├── SetupServiceSlow
    │   └── SetupBaseNotAdded
    └── DemoError
        ├── DemoFolderTaken
        ├── DemoServiceDied
        ├── DemoServiceSlow
        ├── DemoNightWithoutAdapter
        └── DemoNotesMissing
"""

from pathlib import Path


class CommandError(Exception):
    """The command could not be carried out; run it with --help to see what it needs."""

    def __str__(self) -> str:
        return " ".join((type(self).__doc__ or "").split())


class PassphraseFileMissing(CommandError):
    """The passphrase file does not exist; name an existing file with --passphrase-file or in
    NIGHTLOOM_PASSPHRASE_FILE."""


class PassphraseFileUnreadable(CommandError):
    """The passphrase file cannot be read as UTF-8 text; name a readable text file that holds the
    passphrase and nothing else."""


class PassphraseFileTooOpen(CommandError):
    """The passphrase file can be read by other users, so it was not used; make it private with
    chmod 600 and run the command again."""


class PassphraseEmpty(CommandError):
    """The passphrase is empty; choose one of several words that nobody else knows."""


class PassphrasesDiffer(CommandError):
    """The two passphrases are not the same; run the command again and type the same one twice."""


class PassphraseNotGiven(CommandError):
    """There is no terminal to ask for the passphrase; give --passphrase-file or set
    NIGHTLOOM_PASSPHRASE_FILE."""


class NothingKeepsKeys(CommandError):
    """Nothing on this machine can keep a key so that the vault opens by itself; make the vault
    with --no-keyring."""

    def __init__(self, problems: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._problems = "; ".join(problems)  # sentences of ours

    def __str__(self) -> str:
        said = super().__str__()
        return f"{said.rstrip('.')} ({self._problems})." if self._problems else said


class RecoveryKeyFileUnreadable(CommandError):
    """The file with the recovery key cannot be read; name a text file, or a pipe, that holds the
    key and nothing else."""


class RecoveryKeyFileTooOpen(CommandError):
    """The file with the recovery key can be read by other users, so it was not used; make it
    private with chmod 600 and run the command again."""


class RecoveryKeyNotGiven(CommandError):
    """There is no terminal to ask for the recovery key; give --recovery-key-file."""


class BackupFileExists(CommandError):
    """There is a file of this name already; name another one, or give --force to replace it."""


class AuditLost(CommandError):
    """The audit ended without an answer; run it again, and look into the service's log if it does
    so again."""


class ExportFolderTaken(CommandError):
    """There is something in this folder already; name a folder that is not there yet."""


class ExportBroken(CommandError):
    """What the service sent does not fit together, so nothing was exported; run the command again,
    with a service of the same version."""


class BaseNotExported(CommandError):
    """The base was not exported; add it again with `nightloom base add`."""

    def __init__(self, problem: str = "") -> None:
        super().__init__()
        self._problem = problem  # a sentence of ours

    def __str__(self) -> str:
        return f"The base was not exported: {self._problem}" if self._problem else super().__str__()


class NightOnlyNow(CommandError):
    """Nights begin by themselves when all conditions hold, which `nightloom why` shows; start one
    at once with `nightloom night run --now`."""


class NoSuchNight(CommandError):
    """There is no such night; `nightloom night log --json` gives their numbers."""


class NightLost(CommandError):
    """The night ended without a result; the service's log says why, and
    `nightloom night run --now` tries again."""


class RotationLost(CommandError):
    """Nothing was heard of the rotation's end; `nightloom privacy audit` says whether the keys
    were rotated, and rotating them again does no harm."""


class NobodyToAsk(CommandError):
    """There is no terminal to ask on; give --yes to have it done without a question."""


class AskedInAPipe(CommandError):
    """What was learned is forgotten after a yes only, and there is no terminal to ask on;
    `nightloom privacy forget` takes --yes."""


class NothingToForgetNamed(CommandError):
    """Say what is to be forgotten with one of --source, --document, --matching and
    --everything."""


class TextNotGiven(CommandError):
    """There is no text to look for; type it when asked, or give it on stdin."""


class NotConfirmed(CommandError):
    """Nothing was done, as you wished."""


class NoServiceManager(CommandError):
    """Nothing was installed, because there is nothing here to install it with; run the service in
    the foreground with `nightloom run`."""

    def __init__(self, why: str = "") -> None:
        super().__init__()
        self._why = why  # half a sentence of ours

    def __str__(self) -> str:
        said = super().__str__()
        return f"{said.rstrip('.')} ({self._why})." if self._why else said


class ServiceInForeground(CommandError):
    """A service runs in the foreground; end it with Ctrl-C where it was started, then run the
    command again."""


class ServiceNotStarted(CommandError):
    """The service was installed but does not run; `nightloom service status` and
    `journalctl --user --unit nightloom` say why, and not every system can do what --namespaces
    asks for."""


class ServiceNotStopped(CommandError):
    """The service could not be stopped, so nothing was removed; end it with
    `systemctl --user kill --signal=KILL nightloom`, then run the command again."""


class HomeNotKnown(CommandError):
    """What lies there is not known to be nightloom's, so nothing was removed; see whether
    NIGHTLOOM_HOME names the right folder."""


class FileInTheWay(CommandError):
    """A file that nightloom did not make is where one of its own belongs; move it away and run the
    command again."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path  # of a unit, a completion or a manual page

    def __str__(self) -> str:
        said = super().__str__()
        return said if self._path is None else f"{said.rstrip('.')} ({self._path})."


class BenchFailed(CommandError):
    """The bench could not be finished."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence)
        self._sentence = sentence  # the bench's own, when it said one

    def __str__(self) -> str:
        return self._sentence or super().__str__()


class BenchDied(CommandError):
    """The bench ended without a result, most likely for want of memory; close other programs or
    choose a smaller --geometry or fewer --layers."""


class SetupError(CommandError):
    """The guide could not go on; `nightloom setup` begins where it stands."""


class SetupNeedsTerminal(SetupError):
    """The guide asks questions and there is no terminal to ask on; give --yes to have it take what
    it would propose, or run `nightloom init`, `nightloom run` and `nightloom privacy sources add
    PATH` one by one."""


class SetupServiceDied(SetupError):
    """The service that the guide started has ended; its own message stands above, and
    `nightloom run` shows all that it says."""


class SetupServiceSlow(SetupError):
    """The service that the guide started did not get ready in time; close other programs and try
    again."""


class SetupBaseNotAdded(SetupError):
    """The base was not added, and the one in use stays; the reason stands above."""


class DemoError(CommandError):
    """The demo could not be finished; try it again."""


class DemoFolderTaken(DemoError):
    """The folder given with --keep is not empty; name a new or an empty one."""


class DemoServiceDied(DemoError):
    """The demo's service ended too early; its own message stands above, and
    `nightloom demo --keep DIR` keeps what it left behind."""


class DemoServiceSlow(DemoError):
    """The demo's service did not get ready in time; close other programs and try again."""


class DemoNightWithoutAdapter(DemoError):
    """The demo's night ended without a new adapter, so there is nothing to compare; the reason
    stands above."""


class DemoNotesMissing(DemoError):
    """The demo's notes are not installed; install nightloom again."""
