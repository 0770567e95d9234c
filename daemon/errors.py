# ruff: noqa: N818 - `SourceMissing` says what happened; `SourceMissingError` says it twice
"""What can go wrong in the service. The docstring of an error is the sentence that the user reads.

    DaemonError
    ├── ConfigError                  config.toml, with every mistake in it
    ├── ConfigNotEdited
    ├── BaseListError                a base that cannot be chosen or removed
    │   ├── NoSuchBase
    │   ├── BaseBroken
    │   ├── BaseBuiltIn
    │   └── BaseInUse
    ├── SourceError                  a place that cannot be collected from
    │   ├── SourceMissing
    │   ├── SourceNotAFolder
    │   ├── SourceUnreadable
    │   │   └── SourceNeedsPermission
    │   ├── SourceIsVault
    │   ├── SourceInsideSource
    │   ├── SourceUnknown
    │   ├── ConversationsAlready
    │   ├── ChatsNameNobody
    │   ├── MailWithoutAddress
    │   └── UnsupportedKind
    ├── LockError                    the vault, locked or to be opened
    │   ├── VaultIsLocked
    │   ├── TooManyAttempts
    │   ├── AttemptTooSoon
    │   └── NothingOpens
    ├── LimitError                   a limit that the user set
    │   ├── VaultQuotaReached
    │   ├── ExclusionInvalid
    │   ├── ExclusionUnknown
    │   ├── ExclusionsDamaged
    │   └── Paused
    ├── AdapterOfAnotherBase
    ├── AnswerNotRemembered
    ├── NightMayNot
    ├── NightChangedNothing
    ├── NightError                   a night that cannot go on
    │   ├── BaseExchanged
    │   ├── CandidateBroken
    │   ├── CurationFailed
    │   └── NightForgotten
    └── EngineError                  the child process with the model
        ├── UnknownBase
        ├── BaseUnusable
        ├── EngineDied
        │   └── EngineFlooded
        ├── EngineFailed
        └── AdapterTakenAway

Facts in braces are numbers and fixed words of ours, and in `ConfigError` keys of the user's own
configuration; never collected text, and no path of a source.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


class DaemonError(Exception):
    """nightloom could not do that."""

    def __init__(self, *facts: object) -> None:
        self.facts: Any = facts
        super().__init__(self._sentence(*facts))

    @classmethod
    def _sentence(cls, *facts: object) -> str:
        return " ".join(inspect.cleandoc(cls.__doc__ or "").split()).format(*facts)


# --------------------------------------------------------------------------- configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong in the configuration, and where."""

    line: int | None  # None: the file as a whole
    sentence: str

    def __str__(self) -> str:
        return self.sentence if self.line is None else f"line {self.line}: {self.sentence}"


class ConfigError(DaemonError):
    """The configuration has mistakes; correct them and start again:"""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__()
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n".join([self._sentence(), *(f"  {mistake}" for mistake in self.mistakes)])


class ConfigNotEdited(DaemonError):
    """The configuration writes its engine section in a form that is not changed for you; set
    base = "{}" there by hand."""


# --------------------------------------------------------------------------- bases


class BaseListError(DaemonError):
    """The base cannot be chosen or removed."""


class NoSuchBase(BaseListError):
    """There is no base with this name; `nightloom base list` shows those there are."""


class BaseBroken(BaseListError):
    """The base cannot be used, so it was not chosen: {}"""


class BaseBuiltIn(BaseListError):
    """The built-in base belongs to the package and is not removed."""


class BaseInUse(BaseListError):
    """This base is the one in use; choose another with `nightloom base use`, start the service
    again, and remove it then."""


# --------------------------------------------------------------------------- sources


class SourceError(DaemonError):
    """This place cannot be collected from."""


class SourceMissing(SourceError):
    """There is nothing at this place now; look whether the path is right and the disk is there."""


class SourceNotAFolder(SourceError):
    """This is not a folder; name the folder that holds the files."""


class SourceUnreadable(SourceError):
    """The system does not let nightloom read this folder; allow it and try again."""


class SourceNeedsPermission(SourceUnreadable):
    """macOS does not let nightloom read this folder; allow it in System Settings, Privacy &
    Security, {}, and start the service again."""


class SourceIsVault(SourceError):
    """nightloom keeps its own files in this place or below it, so it is not collected from; name
    the folders with your texts one by one."""


class SourceInsideSource(SourceError):
    """This folder and an existing source lie inside each other; remove that source first, or name
    a folder that lies apart."""


class SourceUnknown(SourceError):
    """There is no source with this name; 'nightloom privacy sources list' shows those there are."""


class ChatsNameNobody(SourceError):
    """Of the {} people who speak in these chats none is you, as far as nightloom was told; say how
    you are named there with `--me`, exactly as your name stands in the export."""


class ConversationsAlready(SourceError):
    """Chats held with nightloom are collected by a source already; 'nightloom privacy sources
    list' shows it, and there is one at most."""


class MailWithoutAddress(SourceError):
    """Only what you sent is collected from mail; say which addresses are yours, each with
    `--me you@example.org`."""


class UnsupportedKind(SourceError):
    """Sources of this kind are not known; known are: {}."""


# --------------------------------------------------------------------------- locked


class LockError(DaemonError):
    """The vault stays locked."""


class VaultIsLocked(LockError):
    """The vault is locked; open it with `nightloom unlock`."""


class TooManyAttempts(LockError):
    """Others are trying to open the vault right now; try again when they are done."""


class AttemptTooSoon(LockError):
    """After {} wrong attempts in a row the next one has to wait; try again in {} s."""


class NothingOpens(LockError):
    """{}"""


# --------------------------------------------------------------------------- limits


class LimitError(DaemonError):
    """A limit stands in the way."""


class VaultQuotaReached(LimitError):
    """The vault has reached its bound of {} GB, so nothing more is collected; raise `vault_gb`
    under [collect] in config.toml and start the service again, or keep less with
    `nightloom privacy retention` or `nightloom privacy exclude add`."""


class ExclusionInvalid(LimitError):
    """This cannot be a glob: {}; see `nightloom privacy exclude add --help`."""


class ExclusionUnknown(LimitError):
    """There is no such exclusion; `nightloom privacy exclude list` shows those there are."""


class ExclusionsDamaged(LimitError):
    """The list of exclusions is damaged, so nothing is collected until it is written anew with
    `nightloom privacy exclude add`."""


class Paused(LimitError):
    """nightloom is paused{}; `nightloom resume` ends that."""


# --------------------------------------------------------------------------- adapters


class AdapterOfAnotherBase(DaemonError):
    """Adapter {} belongs to another base than the one in use; it can answer again when
    `engine.base` in the configuration names that base and the service was started anew."""


# --------------------------------------------------------------------------- nights


class AnswerNotRemembered(DaemonError):
    """Which answer that was is not remembered any more, for only the last ones are, and not past
    a lock; `nightloom privacy forget --matching` looks for it by its text."""


class NightMayNot(DaemonError):
    """A night may not work now, also when you ask for it: {} is "{}" and has to be "{}". {}"""


class NightChangedNothing(DaemonError):
    """There is nothing to compare of that night: {}. `nightloom night log` shows the nights."""


class NightError(DaemonError):
    """{}"""

    def __init__(self, sentence: str = "The night could not go on.") -> None:
        super().__init__(sentence)


class BaseExchanged(NightError):
    """Another base was put into the folder of the one that the engine holds; stop the service and
    start it again."""


class CandidateBroken(NightError):
    """What the engine handed over is no usable adapter: {}. It was thrown away; the adapter in use
    stays."""


class CurationFailed(NightError):
    """The process that looks at the texts before a night failed again and again, so nothing is
    learned; run `nightloom doctor`, and see that there are 1 GiB of free memory."""

    def __init__(self) -> None:
        super().__init__(" ".join(inspect.cleandoc(type(self).__doc__ or "").split()))


class NightForgotten(NightError):
    """Something that this night worked with was forgotten meanwhile; a new night begins without
    it."""

    def __init__(self) -> None:
        super().__init__(" ".join(inspect.cleandoc(type(self).__doc__ or "").split()))


# --------------------------------------------------------------------------- engine


class EngineError(DaemonError):
    """The engine cannot be used."""


class UnknownBase(EngineError):
    """There is no base with the name in the configuration; `nightloom base list` shows those
    there are."""


class BaseUnusable(EngineError):
    """{}"""


class EngineDied(EngineError):
    """The engine ended in the middle of its work; the next request starts it again."""


class EngineFlooded(EngineDied):
    """The engine sent more than it was asked for, so it was ended; the next request starts it
    again."""


class AdapterTakenAway(EngineError):
    """The adapter that answered was withdrawn, because something that it had learned was
    forgotten, or deleted."""

    CODE = "adapter_gone"  # as the engine says it of an answer whose adapter it had to drop


class EngineFailed(EngineError):
    """{}"""

    def __init__(self, sentence: str, *, code: str, facts: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.code = code
        self.facts = dict(facts)

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Self:
        """From the header of the engine's `failed` message, whose sentence never holds text."""
        facts = {key: value for key, value in header.items() if key not in ("code", "sentence")}
        return cls(
            str(header.get("sentence", "The engine failed.")),
            code=str(header.get("code", "broken")),
            facts=facts,
        )
