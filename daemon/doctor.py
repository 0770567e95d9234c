"""Whether nightloom can do its work on this machine: findings from what was read. Pure.

A finding is one thing, how it is now and, where something is wrong, what to do. Knows no files and
no processes: `cli/doctor.py` reads.
"""

from dataclasses import asdict, dataclass
from typing import Any

LEAST_DISK_BYTES = 2_000_000_000  # for adapters, checkpoints and a vault that grows
NO_KERNELS = "bitsandbytes"  # computes where ours were not built


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was read of the machine and the home folder."""

    mistakes: str | None  # of the configuration, as a sentence
    vault: bool
    serving: bool  # a service answers
    processor: str
    bf16: bool
    kernels: str
    threads: int
    memory_bytes: int
    free_bytes: int
    disk_free_bytes: int
    base: str  # the one in use
    base_problem: str | None  # why it cannot serve or train
    tokens_per_night: float | None  # with the base in use


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`holds`: True is well, False wants doing something, None is worth knowing."""

    name: str
    holds: bool | None
    value: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def findings(read: Readings) -> list[Finding]:
    """In the order in which one would look."""
    return [_configuration(read), _vault(read), _service(read), _processor(read), _kernels(read),
            _memory(read), _disk(read), _base(read), _night(read)]  # fmt: skip


def _configuration(read: Readings) -> Finding:
    return Finding(
        name="configuration",
        holds=read.mistakes is None,
        value="can be read" if read.mistakes is None else "has mistakes",
        advice=read.mistakes or "",
    )


def _vault(read: Readings) -> Finding:
    return Finding(
        name="vault",
        holds=read.vault,
        value="is there" if read.vault else "is not there",
        advice="" if read.vault else "Make it with `nightloom init`.",
    )


def _service(read: Readings) -> Finding:
    return Finding(
        name="service",
        holds=True if read.serving else None,
        value="runs" if read.serving else "does not run",
        advice=""
        if read.serving
        else "Start it with `nightloom service install`, or `nightloom run` in the foreground.",
    )


def _processor(read: Readings) -> Finding:
    cores = f"{read.processor}, {read.threads} threads"
    return Finding(
        name="processor",
        holds=True if read.bf16 else None,
        value=f"{cores}, {'multiplies' if read.bf16 else 'does not multiply'} bf16",
        advice="" if read.bf16 else "Nights compute in fp32: slower, and twice the memory.",
    )


def _kernels(read: Readings) -> Finding:
    built = read.kernels != NO_KERNELS
    return Finding(
        name="4-bit kernels",
        holds=built,
        value=read.kernels if built else "not built; bitsandbytes computes, several times slower",
        advice="" if built else "Install a C compiler (apt-get install gcc), then nightloom again.",
    )


def _memory(read: Readings) -> Finding:
    return Finding(
        name="memory",
        holds=None,
        value=f"{_gigabytes(read.memory_bytes)}, {_gigabytes(read.free_bytes)} free now",
    )


def _disk(read: Readings) -> Finding:
    enough = read.disk_free_bytes >= LEAST_DISK_BYTES
    return Finding(
        name="disk",
        holds=enough,
        value=f"{_gigabytes(read.disk_free_bytes)} free",
        advice="" if enough else
               f"Free at least {_gigabytes(LEAST_DISK_BYTES)} for the vault and its adapters.",
    )  # fmt: skip


def _base(read: Readings) -> Finding:
    return Finding(
        name="base",
        holds=read.base_problem is None,
        value=f"{read.base} {'fits' if read.base_problem is None else 'does not fit'}",
        advice=read.base_problem or "",
    )


def _night(read: Readings) -> Finding:
    found = read.tokens_per_night
    value = "nothing" if found is None else f"about {found / 1e6:.1f} million tokens"
    return Finding(name="a night of 8 hours", holds=None, value=value)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
