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
    ├── NightOnlyNow
    ├── NightLost
    ├── NobodyToAsk
    ├── NotConfirmed
    ├── BenchFailed
    ├── BenchDied
    └── DemoError
        ├── DemoFolderTaken
        ├── DemoServiceDied
        ├── DemoServiceSlow
        ├── DemoNightWithoutAdapter
        └── DemoNotesMissing
"""


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


class NightOnlyNow(CommandError):
    """Nights are started by hand for now; start one with `nightloom night run --now`."""


class NightLost(CommandError):
    """The night ended without a result; the service's log says why, and
    `nightloom night run --now` tries again."""


class NobodyToAsk(CommandError):
    """There is no terminal to ask on; give --yes to have it done without a question."""


class NotConfirmed(CommandError):
    """Nothing was done, as you wished."""


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
