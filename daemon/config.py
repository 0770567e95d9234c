"""The configuration: one frozen value from `config.toml`, every mistake reported at once.

Each setting stands once, here, with its default and its bounds. Knows nothing of what the settings
do, and reads neither the environment nor the clock.
"""

import dataclasses
import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.conditions.window import EXAMPLE, Window
from daemon.errors import ConfigError, Mistake

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Number:
    """A number within bounds; whole if `low` is."""

    low: float
    high: float

    def read(self, value: object) -> object:
        whole = isinstance(self.low, int)
        kind = "a whole number" if whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ValueError(f"has to be {kind}")
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise ValueError(f"has to be {kind} from {self.low:g} to {self.high:g}")
        return value if whole else float(value)


@dataclass(frozen=True, slots=True)
class _Word:
    """A text; one of `choices` where there are any."""

    choices: tuple[str, ...] = ()

    def read(self, value: object) -> object:
        if not isinstance(value, str) or not value:
            raise ValueError("has to be a text in quotes")
        if self.choices and value not in self.choices:
            raise ValueError(f"has to be one of {', '.join(self.choices)}")
        return value


class _Hours:
    """A window of time, by weekday."""

    def read(self, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"has to be a text like {EXAMPLE}")
        return Window.parse(value)


class _YesNo:
    """Something that is on or off."""

    def read(self, value: object) -> object:
        if not isinstance(value, bool):
            raise ValueError("has to be true or false")
        return value


def _number(default: float | None, low: float, high: float) -> Any:
    return field(default=default, metadata={"rule": _Number(low, high)})


def _word(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"rule": _Word(choices)})


def _yes_no(default: bool) -> Any:
    return field(default=default, metadata={"rule": _YesNo()})


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSettings:
    """How files are gathered."""

    max_file_mb: int = _number(10, 1, 1024)
    settle_seconds: float = _number(2.0, 0.0, 600.0)  # a file at rest for so long is whole
    debounce_seconds: float = _number(10.0, 0.0, 600.0)  # events until so long a pause are one look
    rescan_minutes: int = _number(60, 1, 24 * 60)
    poll_minutes: float = _number(5.0, 0.1, 24 * 60.0)  # between looks where no events come
    folder_check_seconds: float = _number(30.0, 1.0, 3600.0)  # is a folder gone, or back?
    vault_gb: float | None = _number(None, 0.001, 100_000.0)  # the most that its database takes

    @property
    def max_file_bytes(self) -> int:
        return self.max_file_mb * MEBIBYTE

    @property
    def vault_bytes(self) -> int | None:
        return None if self.vault_gb is None else round(self.vault_gb * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSettings:
    """When and how long nights work, and their recipe. None is what the preset says."""

    window: Window = field(default=Window.parse("22:00-08:00"), metadata={"rule": _Hours()})
    automatic: bool = _yes_no(True)  # nights begin by themselves; else with `night run --now`
    minutes: int = _number(480, 1, 24 * 60)  # the longest that one night's training goes on
    checkpoint_minutes: float = _number(5.0, 0.1, 120.0)
    grace_seconds: float = _number(30.0, 0.0, 3600.0)  # a held night keeps its memory so long
    minimum_tokens: int = _number(2000, 100, 1_000_000_000)  # of new text; below it the night waits
    preset: str = _word("personal", "personal", "guanaco")
    rank: int | None = _number(None, 1, 256)
    alpha: float | None = _number(None, 0.1, 1024.0)
    dropout: float | None = _number(None, 0.0, 0.9)
    learning_rate: float | None = _number(None, 1e-7, 1e-1)
    passes: int | None = _number(None, 1, 100)
    replay_share: float | None = _number(None, 0.0, 0.5)
    general_share: float | None = _number(None, 0.0, 0.25)
    row_tokens: int | None = _number(None, 32, 32_768)
    rows_per_step: int | None = _number(None, 1, 1024)  # the effective batch
    rows_per_micro_batch: int | None = _number(None, 1, 1024)
    adapters_gb: float = _number(20.0, 0.001, 100_000.0)  # then the oldest lose their weights

    @property
    def adapters_bytes(self) -> int:
        return round(self.adapters_gb * 1e9)

    def recipe(self) -> dict[str, Any]:
        """What the engine is told: the preset's name and what differs from it."""
        return {
            "preset": self.preset,
            "lora": _given(rank=self.rank, alpha=self.alpha, dropout=self.dropout),
            "finetune": _given(
                learning_rate=self.learning_rate,
                rows_per_step=self.rows_per_step,
                rows_per_micro_batch=self.rows_per_micro_batch,
            ),
            "shares": _given(replay=self.replay_share, general=self.general_share),
            **_given(passes=self.passes, row_tokens=self.row_tokens),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSettings:
    """What has to hold for a night to work."""

    idle_minutes: float = _number(15.0, 1.0, 24 * 60.0)  # nobody touched the machine for so long
    power_minutes: float = _number(2.0, 0.0, 60.0)  # a plug that is in for so long stays in
    battery_floor_percent: int = _number(50, 0, 100)  # below it a night waits, also on AC
    max_celsius: float = _number(85.0, 40.0, 120.0)
    notify: bool = _yes_no(True)  # a desktop notification when a night has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """The child process with the model."""

    idle_minutes: float = _number(5.0, 0.1, 24 * 60.0)  # then it ends and gives its memory back
    threads: int = _number(0, 0, 1024)  # 0: all cores
    memory_gb: float | None = _number(None, 0.5, 4096.0)  # the most it takes; what is free, else
    base: str = _word("builtin")

    @property
    def memory_bytes(self) -> int | None:
        return None if self.memory_gb is None else round(self.memory_gb * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Clients that ask at once."""

    at_once: int = _number(8, 1, 16)  # are answered together, each of them slower
    waiting: int = _number(32, 0, 1024)  # in line; one client's line shuts no other out


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What a new adapter has to keep."""

    general_loss_tolerance: float = _number(0.02, 0.0, 0.5)  # share of the base's general loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file; what it does not name has its default."""

    collect: CollectSettings = CollectSettings()
    night: NightSettings = NightSettings()
    conditions: ConditionSettings = ConditionSettings()
    engine: EngineSettings = EngineSettings()
    serving: ServingSettings = ServingSettings()
    gate: GateSettings = GateSettings()


_SECTIONS: Mapping[str, type[Any]] = {
    "collect": CollectSettings,
    "night": NightSettings,
    "conditions": ConditionSettings,
    "engine": EngineSettings,
    "serving": ServingSettings,
    "gate": GateSettings,
}
_MOST_BYTES = MEBIBYTE


def load_config(path: Path) -> Config:
    """Read the file; a missing one is an empty one. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise _whole(f"config.toml cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise _whole("config.toml is larger than 1 MiB")
    try:
        return parse_config(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _whole("config.toml is not UTF-8 text") from error


def parse_config(text: str) -> Config:
    """Raises ConfigError with all mistakes, in the order of their lines."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_mistake(error),)) from error
    lines = _line_numbers(text)
    mistakes: list[Mistake] = []
    sections: dict[str, Any] = {}
    for name, content in tree.items():
        line = lines.get((name,))
        if name not in _SECTIONS:
            where = _home_of(name)
            hint = f"; it belongs under [{where}]" if where else _nearest(name, _SECTIONS)
            mistakes.append(Mistake(line=line, sentence=f"{name!r} is not known here{hint}"))
        elif not isinstance(content, dict):
            mistakes.append(Mistake(line=line, sentence=f"{name!r} has to be a section, [{name}]"))
        else:
            at = {key: lines.get((name, key), line) for key in content}
            sections[name] = _section(name, content, at, mistakes)
    if mistakes:
        mistakes.sort(key=lambda mistake: mistake.line or 0)
        raise ConfigError(tuple(mistakes))
    return Config(**sections)


def _section(
    name: str, content: Mapping[str, object], at: Mapping[str, int | None], found: list[Mistake]
) -> Any:
    """The section as its dataclass; what is wrong in it goes into `found`."""
    kind = _SECTIONS[name]
    rules = {each.name: each.metadata["rule"] for each in dataclasses.fields(kind)}
    values = {}
    for key, value in content.items():
        if key not in rules:
            sentence = f"{key!r} is not known in [{name}]{_nearest(key, rules)}"
            found.append(Mistake(line=at[key], sentence=sentence))
            continue
        try:
            values[key] = rules[key].read(value)
        except ValueError as error:
            found.append(Mistake(line=at[key], sentence=f"{key!r} in [{name}] {error}"))
    return kind(**values)


def _nearest(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _home_of(key: str) -> str | None:
    """The section where a key belongs that was written outside of all sections."""
    for name, kind in _SECTIONS.items():
        if key in {each.name for each in dataclasses.fields(kind)}:
            return name
    return None


def _given(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


def _whole(sentence: str) -> ConfigError:
    return ConfigError((Mistake(line=None, sentence=sentence),))


# --------------------------------------------------------------------------- lines

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"""\s*([\w."' -]+?)\s*=""")


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Where each section and key stands first. For messages only: tomllib does not tell."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            path = table
        elif key := _KEY.match(line):
            path = (*table, *_parts(key[1]))
        else:
            continue
        for prefix in _prefixes(path):
            found.setdefault(prefix, number)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _prefixes(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (path[:length] for length in range(1, len(path) + 1))


def _syntax_mistake(error: tomllib.TOMLDecodeError) -> Mistake:
    """tomllib's own sentence, with the line taken out of its brackets."""
    sentence = str(error)
    where = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", sentence)
    if where is None:
        return Mistake(line=None, sentence=sentence)
    line = int(where[1]) if where[1] else None
    end = "" if line else " at the end of the file"
    return Mistake(line=line, sentence=sentence[: where.start()] + end)
